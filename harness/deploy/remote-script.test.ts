import { expect, it } from 'vitest';
import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { runScript } from './remote-script.ts';

const { signal } = new AbortController();

/** A host on which every command ends like that; gives the commands that it was asked to run. */
function hostWhere(code: number, stderr = '') {
  const asked: (readonly string[])[] = [];
  const exec: Host['exec'] = async (argv) => {
    asked.push(argv);
    return { code, stdout: 'said', stderr };
  };
  const unused = () => Promise.reject(new Error('unused'));
  return {
    asked,
    host: { name: 'nyc', exec, session: unused, writeFile: unused, connect: unused, close: unused },
  };
}

const run = (host: Host, only?: 'looks') =>
  runScript(host, { does: 'try', text: '', ...(only && { only }) }, ['a b'], { budgetMs: 60_000, signal });

it('lets one script at a time change a host, and any number look', async () => {
  const { asked, host } = hostWhere(0);
  await run(host);
  await run(host, 'looks');
  expect(asked).toEqual([
    ['flock', '-E', '73', '-w', '30', DEPLOYED_PATHS.stepLock, 'sh', '-eus', '--', 'a b'],
    ['sh', '-eus', '--', 'a b'],
  ]);
});

it.each([
  [1, 'tar: write error: No space left on device', 'DEPLOY_DISK_FULL'],
  [71, 'gzip: No space left on device', 'DEPLOY_DISK_FULL'],
  [71, 'crc error', 'DEPLOY_UPLOAD_CORRUPTED'],
  [72, '', 'DEPLOY_PATH_OCCUPIED'],
  [73, '', 'DEPLOY_LOCKED'],
  [1, 'odd', 'DEPLOY_STEP_FAILED'],
])('calls exit code %i with %j %s', async (code, stderr, expected) => {
  await expect(run(hostWhere(code, stderr).host)).rejects.toMatchObject({ code: expected });
});
