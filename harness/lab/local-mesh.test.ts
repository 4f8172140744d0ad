import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import type { ProcessEnd } from '../fleet/mesh-host.ts';
import { freePorts } from './free-ports.ts';
import { LocalMesh } from './local-mesh.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-mesh-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const ORDERLY = 'process.exit(0)';

/** A program that comes up as a node or a runner does, and then does `onStop` when it is told to end. */
async function program(name: string, onStop: string): Promise<string> {
  const file = join(home, `${name}-${onStop.replaceAll(/\W/g, '').slice(0, 80)}.mjs`);
  await writeFile(
    file,
    `import fs, { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
        AbortSignal.timeout(30_000),
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
    const nodesAreGone = join(home, 'nodes-are-gone');
    // The nodes are asked once the runners are gone.
    const slow = `setInterval(() => fs.existsSync('${nodesAreGone}') && process.exit(0), 20)`;
    const mesh = await start(ORDERLY, slow);
    const ends: { readonly code: number | null; readonly expected: string }[] = [];
    mesh.onProcessEnd(({ role, code }, expected) => role === 'node' && ends.push({ code, expected }));
    const stopping = mesh.stop();
    for (const pid of nodePids) process.kill(pid, 'SIGTERM');
    await until('the end of the nodes', () => ends.length === 2 || undefined, { budgetMs: 20_000 });
    await writeFile(nodesAreGone, '');
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

describe('a local mesh whose port another program takes', () => {
  /** A node that finds its port taken when it is one of the first `times` to start. */
  async function unlucky(times: number, basePort?: number) {
    const log = join(home, `starts-${times}-${basePort ?? 'any'}`);
    const nodeEntry = `${log}.mjs`;
    const sound = await program('node', ORDERLY);
    await writeFile(
      nodeEntry,
      `import { appendFileSync, readFileSync } from 'node:fs';
       import { createSocket } from 'node:dgram';
       const [, port] = /bind_address = "127.0.0.1:(.*)"/.exec(readFileSync(process.argv.at(-1), 'utf8'));
       appendFileSync(${JSON.stringify(log)}, port + '\\n');
       const starts = readFileSync(${JSON.stringify(log)}, 'utf8').split('\\n').length - 1;
       const bind = (ready) => createSocket('udp4').bind({ address: '127.0.0.1', port: Number(port), exclusive: true }, ready);
       if (starts <= ${times}) bind(() => bind()); else await import(${JSON.stringify(sound)});`,
    );
    const bundle = { nodeEntry, runnerEntry: await program('runner', ORDERLY), sha256: 'b'.repeat(64) };
    const mesh = await LocalMesh.start(
      { names: ['a'], anchor: 'a', bundle, networkId: 'n', operatorKeys: [], basePort },
      AbortSignal.timeout(30_000),
    ).catch((error: unknown) => error);
    const ports = (await readFile(log, 'utf8')).trim().split('\n');
    if (mesh instanceof LocalMesh) await mesh.stop();
    return { mesh, ports };
  }

  it('starts anew with others', async () => {
    const { mesh, ports } = await unlucky(1);
    expect(mesh).toMatchObject({ hosts: [{ udpAddress: `127.0.0.1:${ports[1]}` }] });
    expect(ports).toEqual([ports[0], expect.not.stringMatching(`^${ports[0]}$`)]);
  });

  it('gives up when it happens again and again', async () => {
    const { mesh, ports } = await unlucky(3);
    expect(mesh).toMatchObject({ code: 'CHILD_NOT_LISTENING' });
    expect(ports).toHaveLength(3);
  });

  it('says so at once where the port was asked for', async () => {
    const [free = 0] = await freePorts('udp', '127.0.0.1', 1);
    const { mesh, ports } = await unlucky(1, free);
    expect(mesh).toMatchObject({ code: 'CHILD_NOT_LISTENING' });
    expect(ports).toEqual([`${free}`]);
  });
});
