import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import type { FaultError } from '../../kit/errors.ts';
import type { Lease, LeaseSpec } from '../faults/fault-driver.ts';
import type { ProcessEnd } from '../fleet/mesh-host.ts';
import { loadLinks } from './links/load-links.ts';
import { LocalMesh } from './local-mesh.ts';
import { readProcessStat } from './process-stat.ts';

const SOON = { budgetMs: 40_000, everyMs: 10 };
const signal = () => AbortSignal.timeout(40_000);
const NAMES = ['a', 'b', 'c'];
let home: string;
let program: string;
let mesh: LocalMesh | undefined;
let broken: FaultError[];
let ends: { readonly role: ProcessEnd['role']; readonly expected: string }[];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-faults-'));
  program = join(home, 'program.mjs');
  await writeFile(
    program,
    `import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
     import { Socket } from 'node:net';
     const config = readFileSync(process.argv.at(-1), 'utf8');
     const dir = /data_dir = "(.*)"/.exec(config)[1];
     mkdirSync(dir, { recursive: true });
     const address = /(?:api|control)_address = "(.*)"/.exec(config)[1];
     for (const file of ['api.port', 'api-token', 'control-token']) writeFileSync(dir + '/' + file, address);
     process.on('SIGTERM', () => process.exit(0));
     new Socket({ fd: Number(process.env.MESHPROOF_LIFELINE_FD) }).on('close', () => process.exit(0)).resume();
     process.stdout.write('listening control=' + address + '\\n');
     setInterval(() => {}, 1_000);`,
  );
});
afterAll(() => rm(home, { recursive: true, force: true }));
afterEach(async () => {
  await mesh?.stop();
  mesh = undefined;
});

async function start(links: 'direct' | null): Promise<LocalMesh> {
  broken = [];
  ends = [];
  mesh = await LocalMesh.start(
    {
      names: NAMES,
      anchor: 'a',
      bundle: { nodeEntry: program, runnerEntry: program, sha256: 'b'.repeat(64) },
      networkId: 'n',
      operatorKeys: [],
      basePort: undefined,
      links: links === null ? undefined : await loadLinks(links, NAMES),
      onBroken: (error) => broken.push(error),
    },
    signal(),
  );
  mesh.onProcessEnd(({ role }, expected) => ends.push({ role, expected }));
  return mesh;
}

const lease = (spec: LeaseSpec): Lease => ({ id: `f1.${spec.at}`, spec, ttlMs: 60_000 });
const pidOf = async ({ faults }: LocalMesh, node: string) => {
  const { pid } = await faults.processState(node, 'node', signal());
  return pid ?? Number.NaN;
};
const stateOf = async ({ faults }: LocalMesh, node: string) =>
  (await faults.processState(node, 'node', signal())).state;
const stateBecomes = ({ faults }: LocalMesh, node: string, wanted: string) =>
  until(
    `${node} ${wanted}`,
    async () => ((await faults.processState(node, 'node', signal())).state === wanted ? true : undefined),
    SOON,
  );

describe('a local mesh without a link proxy', () => {
  it('says which faults it cannot carry, and why', async () => {
    const { faults } = await start(null);
    const { cut, shape, pause, stop, restart } = await faults.capabilities('a', signal());
    expect([stop, restart]).toEqual([null, null]);
    for (const why of [cut, shape, pause]) expect(why).toMatch(/^no link proxy: /);
    await expect(
      faults.apply(lease({ kind: 'cut', at: 'a', peers: ['b'], largerThanBytes: null }), signal()),
    ).rejects.toMatchObject({ code: 'FAULT_UNAVAILABLE' });
    expect(await faults.standing('a', signal())).toEqual([]);
  });

  it('restarts a node at the same addresses, which is no crash', async () => {
    const running = await start(null);
    const [host] = running.hosts;
    const before = await pidOf(running, 'a');
    await running.faults.restart('a', 'node', signal());
    await stateBecomes(running, 'a', 'running');
    expect(await pidOf(running, 'a')).not.toBe(before);
    expect(running.hosts[0]?.api).toEqual(host?.api);
    expect(ends).toEqual([{ role: 'node', expected: 'expected' }]);
  });

  it('keeps a node stopped until the lease ends, by itself or reverted', async () => {
    const running = await start(null);
    await running.faults.apply(lease({ kind: 'stop', at: 'b', role: 'node' }), signal());
    expect(await stateOf(running, 'b')).toBe('stopped');
    expect(await running.faults.standing('b', signal())).toMatchObject([{ leaseId: 'f1.b' }]);
    expect(await running.faults.renew('b', ['f1.b'], 300, signal())).toEqual([]);
    await stateBecomes(running, 'b', 'running');
    await until(
      'nothing left',
      async () => ((await running.faults.standing('b', signal())).length === 0 ? true : undefined),
      SOON,
    );
    expect(await running.faults.renew('b', ['f1.b'], 1_000, signal())).toEqual(['f1.b']);
    await running.faults.apply(lease({ kind: 'stop', at: 'b', role: 'node' }), signal());
    await running.faults.revert('b', ['f1.b'], signal());
    await stateBecomes(running, 'b', 'running');
    expect(ends.every(({ expected }) => expected === 'expected')).toBe(true);
  });

  it('tells a node that crashed from one that was stopped', async () => {
    const running = await start(null);
    process.kill(await pidOf(running, 'c'), 'SIGKILL');
    await stateBecomes(running, 'c', 'gone');
    expect(ends).toEqual([{ role: 'node', expected: 'unexpected' }]);
  });

  it.skipIf(process.platform !== 'linux')('shows a process that somebody else paused', async () => {
    const running = await start(null);
    process.kill(await pidOf(running, 'a'), 'SIGSTOP');
    await stateBecomes(running, 'a', 'paused');
    expect(await running.faults.standing('a', signal())).toMatchObject([
      { leaseId: null, what: expect.stringMatching(/^node .* paused, with no lease/) },
    ]);
  });
});

describe('a local mesh behind a link proxy', () => {
  it('cuts what arrives at a node, slows what leaves it, and shows both where they are', async () => {
    const { faults } = await start('direct');
    expect(Object.values(await faults.capabilities('a', signal())).every((why) => why === null)).toBe(true);
    await faults.apply(lease({ kind: 'cut', at: 'a', peers: ['b'], largerThanBytes: null }), signal());
    const slow = { delayMs: 60, jitterMs: 0, lossRatio: 0, rateKbit: null };
    await faults.apply(lease({ kind: 'shape', at: 'c', peers: ['b'], ...slow }), signal());
    const answered = async (from: string, to: string) => (await faults.probe(from, to, 2, signal())).answered;
    expect([await answered('b', 'a'), await answered('c', 'a')]).toEqual([0, 2]);
    const { rttMs } = await faults.probe('b', 'c', 3, signal());
    expect(rttMs).toBeGreaterThanOrEqual(59);
    expect(await faults.standing('a', signal())).toEqual([
      { at: 'a', runId: null, leaseId: 'f1.a', what: 'b→a cut' },
    ]);
    expect(await faults.standing('b', signal())).toEqual([]);
    expect(await faults.matchedPackets('a', 'f1.a', signal())).toBe(0);
    expect(await faults.renew('a', ['f1.a', 'f9'], 60_000, signal())).toEqual(['f9']);
    await faults.revert('a', ['f1.a'], signal());
    expect(await answered('b', 'a')).toBe(2);
  });

  it.skipIf(process.platform !== 'linux')('pauses a node until the lease ends by itself', async () => {
    const running = await start('direct');
    await running.faults.apply(lease({ kind: 'pause', at: 'b', role: 'node' }), signal());
    await stateBecomes(running, 'b', 'paused');
    expect(await running.faults.renew('b', ['f1.b'], 300, signal())).toEqual([]);
    await stateBecomes(running, 'b', 'running');
    expect(await running.faults.standing('b', signal())).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    'shows a pause as that of its lease when it outlives it',
    async () => {
      const running = await start('direct');
      await running.faults.apply(lease({ kind: 'pause', at: 'b', role: 'node' }), signal());
      await running.faults.revert('b', ['f1.b'], signal());
      process.kill(await pidOf(running, 'b'), 'SIGSTOP');
      await stateBecomes(running, 'b', 'paused');
      expect(await running.faults.standing('b', signal())).toMatchObject([{ leaseId: 'f1.b' }]);
    },
  );

  it.skipIf(process.platform !== 'linux')(
    'is told as broken when the agent dies, and nothing stays paused',
    async () => {
      const running = await start('direct');
      await running.faults.apply(lease({ kind: 'pause', at: 'b', role: 'node' }), signal());
      await stateBecomes(running, 'b', 'paused');
      process.kill(running.links?.agent.pid ?? Number.NaN, 'SIGKILL');
      await until('the report', () => broken[0], SOON);
      expect(broken).toMatchObject([{ code: 'LINK_AGENT_GONE' }]);
      await stateBecomes(running, 'b', 'running');
      expect(await running.faults.standing('b', signal())).toEqual([]);
      expect((await running.faults.capabilities('a', signal())).cut).toBe('no link proxy: it ended');
      await expect(running.faults.probe('a', 'b', 1, signal())).rejects.toMatchObject({
        code: 'LINK_AGENT_GONE',
      });
    },
  );

  it('is not told as broken when it is stopped in order', async () => {
    await (await start('direct')).stop();
    expect(broken).toEqual([]);
  });
});

describe.skipIf(process.platform !== 'linux')('a harness that is killed while its faults stand', () => {
  it.for([
    ['alone', []],
    ['with the link agent at the same instant', ['agent']],
    ['with the link agent and what undoes its pauses', ['agent', 'undo']],
  ] as const)('%s leaves no process, paused or not', async ([, alsoKilled]) => {
    const source = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { LocalMesh } from ${source('./local-mesh.ts')};
         import { loadLinks } from ${source('./links/load-links.ts')};
         const names = ['a', 'b'];
         const entry = ${JSON.stringify(program)};
         const signal = AbortSignal.timeout(30_000);
         const mesh = await LocalMesh.start({ names, anchor: 'a', networkId: 'n', operatorKeys: [], basePort: undefined,
           bundle: { nodeEntry: entry, runnerEntry: entry, sha256: '' }, links: await loadLinks('direct', names),
           onProcessStart: (node, role, pid) => console.log(pid) }, signal);
         for (const role of ['node', 'runner'])
           await mesh.faults.apply({ id: role, spec: { kind: 'pause', at: 'a', role }, ttlMs: 600_000 }, signal);
         console.log(mesh.links.agent.pid);
         console.log('standing');`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const said: string[] = [];
    const pids: number[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
    try {
      await until('its faults', () => (said.includes('standing') ? true : undefined), SOON);
      pids.push(...said.slice(0, -1).map(Number));
      const agent = pids.at(-1) ?? 0;
      const undo = childrenOf(agent);
      pids.push(...undo);
      expect(pids).toHaveLength(7); // two nodes, two runners, the agent, and what undoes each pause
      await until(
        'the pauses',
        () => (pids.filter((pid) => stateAt(pid) === 'T').length === 2 ? true : undefined),
        SOON,
      );
      const others = { agent: [agent], undo };
      const killed = [child.pid ?? Number.NaN, ...alsoKilled.flatMap((which) => others[which])];
      for (const signal of ['SIGSTOP', 'SIGKILL'] as const)
        for (const pid of killed) process.kill(pid, signal);
      await once(child, 'exit');
      await until('no process', () => (pids.every((pid) => stateAt(pid) === null) ? true : undefined), SOON);
    } finally {
      child.kill('SIGKILL');
      for (const pid of pids.filter((left) => stateAt(left) !== null)) process.kill(pid, 'SIGKILL');
    }
  });
});

function childrenOf(pid: number): readonly number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return listed === '' ? [] : listed.split(' ').map(Number);
}

/** Its state, or null when it is gone or only waits to be collected. */
function stateAt(pid: number): string | null {
  const state = readProcessStat(pid)?.state ?? null;
  return state === 'Z' ? null : state;
}
