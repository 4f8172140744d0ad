import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from './deadline.ts';
import { serviceManager } from './systemd-notify.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-notify-'));
  await writeFile(join(home, 'systemd-notify'), `#!/bin/sh\necho "$1 to $NOTIFY_SOCKET" >> ${home}/said\n`);
  await chmod(join(home, 'systemd-notify'), 0o755);
});
afterEach(() => rm(home, { recursive: true }));

/** Each test hears of its own failures alone: signs of life go on after a test, and then find no program. */
function listener() {
  const failures: string[] = [];
  return { failures, onFailure: (why: string) => failures.push(why) };
}

const said = async () => (await readFile(join(home, 'said'), 'utf8').catch(() => '')).trim().split('\n');
const env = (more: Record<string, string>) => ({ PATH: `${home}:${process.env.PATH}`, ...more });

it('says ready once, then that it lives three times per watchdog period', async () => {
  const { failures, onFailure } = listener();
  serviceManager({ env: env({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '150000' }), onFailure }).ready();
  const words = await until(
    'two signs of life',
    async () => {
      const lines = await said();
      return lines.length >= 3 ? lines : undefined;
    },
    { budgetMs: 10_000 },
  );
  expect(words.slice(0, 3)).toEqual(['READY=1 to /run/x', 'WATCHDOG=1 to /run/x', 'WATCHDOG=1 to /run/x']);
  expect(failures).toEqual([]);
});

it('reports a word that could not be delivered', async () => {
  const { failures, onFailure } = listener();
  serviceManager({ env: { PATH: '/nonexistent', NOTIFY_SOCKET: '/run/x' }, onFailure }).ready();
  await until('the failure', () => failures[0], { budgetMs: 10_000 });
  expect(failures).toEqual(['systemd-notify READY=1: ENOENT']);
});

it('says nothing where systemd did not start it, and no sign of life that is asked of another process', async () => {
  const { onFailure } = listener();
  serviceManager({ env: env({}), onFailure }).ready();
  const ofAnother = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
  serviceManager({ env: env(ofAnother), onFailure }).ready();
  await until('the only word', async () => ((await said())[0] === '' ? undefined : true), {
    budgetMs: 10_000,
  });
  expect(await said()).toEqual(['READY=1 to /run/x']);
});
