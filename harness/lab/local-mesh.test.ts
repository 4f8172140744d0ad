import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessEnd } from '../fleet/mesh-host.ts';
import { LocalMesh } from './local-mesh.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-mesh-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const ORDERLY = 'process.exit(0)';

/** A program that comes up as a node or a runner does, and then does `onStop` when it is told to end. */
async function program(name: string, onStop: string): Promise<string> {
  const file = join(home, `${name}-${onStop.replaceAll(/\W/g, '')}.mjs`);
  await writeFile(
    file,
    `import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
     const config = readFileSync(process.argv.at(-1), 'utf8');
     const dir = /data_dir = "(.*)"/.exec(config)[1];
     mkdirSync(dir, { recursive: true });
     for (const file of ['api.port', 'api-token', 'control-token']) writeFileSync(dir + '/' + file, '127.0.0.1:1');
     process.on('SIGTERM', () => { ${onStop} });
     process.stdout.write('listening control=127.0.0.1:1\\n');
     setInterval(() => {}, 1_000);`,
  );
  return file;
}

let nodePids: number[] = [];

function start(nodeOnStop: string, runnerOnStop: string): Promise<LocalMesh> {
  nodePids = [];
  return Promise.all([program('node', nodeOnStop), program('runner', runnerOnStop)]).then(
    ([nodeEntry, runnerEntry]) =>
      LocalMesh.start(
        {
          names: ['a', 'b'],
          anchor: 'a',
          bundle: { nodeEntry, runnerEntry, sha256: 'b'.repeat(64) },
          networkId: 'n',
          operatorKeys: [],
          basePort: undefined,
          onProcessStart: (_node, role, pid) => role === 'node' && nodePids.push(pid),
        },
        AbortSignal.timeout(15_000),
      ),
  );
}

async function endsOf(nodeOnStop: string, runnerOnStop: string) {
  const mesh = await start(nodeOnStop, runnerOnStop);
  const ends: (Pick<ProcessEnd, 'role' | 'code' | 'signal'> & { readonly expected: string })[] = [];
  mesh.onProcessEnd(({ role, code, signal }, expected) => ends.push({ role, code, signal, expected }));
  await mesh.stop();
  return ends;
}

describe('the end of a process of a local mesh that is being stopped', () => {
  it('is expected when it is in order', async () => {
    const ends = await endsOf(ORDERLY, ORDERLY);
    expect(ends).toHaveLength(4);
    for (const end of ends) expect(end).toMatchObject({ code: 0, expected: 'expected' });
  });

  it.for([
    ['another exit code', 'process.exit(70)', { code: 70, signal: null }],
    ['a signal of another', "process.kill(process.pid, 'SIGALRM')", { code: null, signal: 'SIGALRM' }],
    ['a kill that is not ours', "process.kill(process.pid, 'SIGKILL')", { code: null, signal: 'SIGKILL' }],
  ] as const)('is unexpected when it is %s', async ([, onStop, how]) => {
    for (const end of await endsOf(onStop, ORDERLY)) {
      const wanted = end.role === 'node' ? { ...how, expected: 'unexpected' } : { expected: 'expected' };
      expect(end).toMatchObject(wanted);
    }
  });

  it('is unexpected before that process itself was asked, though others were', async () => {
    const slow = 'setTimeout(() => process.exit(0), 500)'; // the nodes are asked once the runners are gone
    const mesh = await start(ORDERLY, slow);
    const ends: { readonly code: number | null; readonly expected: string }[] = [];
    mesh.onProcessEnd(({ role, code }, expected) => role === 'node' && ends.push({ code, expected }));
    const stopping = mesh.stop();
    for (const pid of nodePids) process.kill(pid, 'SIGTERM');
    await stopping;
    expect(ends).toEqual(nodePids.map(() => ({ code: 0, expected: 'unexpected' })));
  });

  it('comes whatever went wrong before its turn', async () => {
    const mesh = await start(ORDERLY, ORDERLY);
    mesh.faults.close = () => Promise.reject(new Error('a fault that does not end'));
    await expect(mesh.stop()).rejects.toThrow('a fault that does not end');
    expect(nodePids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  it('is a fault naming it when it had to be killed', async () => {
    await expect(endsOf('', ORDERLY)).rejects.toMatchObject({
      code: 'CHILD_KILLED',
      details: { names: ['node of a', 'node of b'] },
    });
  }, 20_000);
});
