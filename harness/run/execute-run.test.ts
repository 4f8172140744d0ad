import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultError } from '../../kit/errors.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import { readJournal } from '../../proofs/read-journal.ts';
import { noFaults } from '../faults/no-faults.ts';
import type { Fleet, MeshHost } from '../fleet/mesh-host.ts';
import type { ProgressEvent } from '../progress/progress.ts';
import { executeRun } from './execute-run.ts';
import { FIXTURE_OPTIONS } from './fixture-plan.ts';
import { InterruptError } from './interrupt-error.ts';
import { judgeProof } from './judge-proof.ts';

let home: string;
let proofDir: string;
let events: ProgressEvent[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-run-'));
  proofDir = join(home, 'proof');
  events = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

function run(
  startFleet: (signal: AbortSignal) => Promise<Fleet>,
  signal: AbortSignal = new AbortController().signal,
) {
  return executeRun(
    { ...FIXTURE_OPTIONS, scenarios: [{ name: 'baseline', options: {} }], proofDir },
    {
      bundle: { sha256: 'b'.repeat(64) },
      network: 'n',
      progress: { show: (event) => events.push(event), close: () => {} },
      startFleet: (_plan, _keys, within) => startFleet(within),
    },
    signal,
  );
}

/** A mesh whose nodes never answer. */
function silentFleet(parts: Partial<Fleet> = {}): Fleet {
  const refuse = () => Promise.reject(new Error('connection refused'));
  const hosts = ['a', 'b'].map((name): MeshHost => {
    const endpoint = { baseUrl: 'http://127.0.0.1:1', token: '' };
    const node = { health: refuse, agent: refuse, peers: refuse } as unknown as MeshHost['node'];
    const udpPortBound = async () => ({ seen: false });
    return {
      name,
      region: null,
      node,
      api: endpoint,
      runner: endpoint,
      udpAddress: '127.0.0.1:1',
      udpPortBound,
    };
  });
  const [anchor] = hosts;
  if (!anchor) throw new Error('no host');
  const faults = noFaults('a test without faults');
  return { hosts, anchor, faults, onProcessEnd: () => {}, stop: async () => {}, ...parts };
}

async function recordsOf<T extends EvidenceRecord['type']>(type: T) {
  const { entries, torn } = await readJournal(join(proofDir, 'journal.ndjson'));
  expect(torn).toBeNull();
  return entries
    .map(({ record }) => record)
    .filter((record): record is Extract<EvidenceRecord, { type: T }> => record.type === type);
}

async function expectInconclusive(exitCode: number): Promise<void> {
  const [judged] = await recordsOf('judged');
  expect(judged?.verdict.overall).toBe('INCONCLUSIVE');
  expect(await recordsOf('run_finished')).toMatchObject([{ exit_code: exitCode }]);
  expect((await judgeProof(proofDir)).verdict).toEqual(judged?.verdict);
}

describe('a run that ends before its first window', () => {
  it('because the mesh cannot be started is a fault, judged INCONCLUSIVE', async () => {
    const cannot = new FaultError('CHILD_NOT_LISTENING', 'node of b ended before it was listening: in use');
    expect(await run(() => Promise.reject(cannot))).toBe(5);
    expect(await recordsOf('harness_fault')).toMatchObject([{ code: 'CHILD_NOT_LISTENING' }]);
    await expectInconclusive(5);
  });

  it('because the machine refuses something is a fault with the code of the machine', async () => {
    const refusal = Object.assign(new Error('EMFILE: too many open files'), {
      code: 'EMFILE',
      syscall: 'open',
    });
    expect(await run(() => Promise.reject(refusal))).toBe(5);
    expect(await recordsOf('harness_fault')).toMatchObject([{ code: 'EMFILE' }]);
    await expectInconclusive(5);
  });

  it('because of a defect exits 70, with the place of the defect on record', async () => {
    expect(await run(() => Promise.reject(new TypeError('x is not a function')))).toBe(70);
    const [fault] = await recordsOf('harness_fault');
    expect(JSON.stringify(fault?.details)).toMatch(/execute-run\.test/);
    await expectInconclusive(70);
  });

  it('because it was interrupted while starting exits 4, whatever broke of that', async () => {
    const abort = new AbortController();
    const exitCode = await run(async () => {
      abort.abort(new InterruptError('SIGTERM'));
      throw new Error('broken off');
    }, abort.signal);
    expect(exitCode).toBe(4);
    expect(await recordsOf('run_interrupted')).toEqual([{ type: 'run_interrupted', signal: 'SIGTERM' }]);
    expect(await recordsOf('harness_fault')).toEqual([]);
    await expectInconclusive(4);
  });

  it('because it was interrupted before it began exits 4 and starts nothing', async () => {
    const exitCode = await run(
      async (signal) => {
        signal.throwIfAborted();
        throw new Error('started');
      },
      AbortSignal.abort(new InterruptError('SIGINT')),
    );
    expect(exitCode).toBe(4);
    expect(events.filter(({ event }) => event === 'interrupted')).toHaveLength(1);
    await expectInconclusive(4);
  });

  it('because it was interrupted while the mesh formed stops the mesh', async () => {
    const abort = new AbortController();
    let stopped = 0;
    const stop = async () => {
      stopped += 1;
    };
    const exitCode = await run(async () => {
      setTimeout(() => abort.abort(new InterruptError('SIGHUP')), 20);
      return silentFleet({ stop });
    }, abort.signal);
    expect([exitCode, stopped]).toEqual([4, 1]);
    await expectInconclusive(4);
  });

  it('because a process ended names it at once, instead of waiting for a mesh that cannot form', async () => {
    const fleet = silentFleet({
      onProcessEnd: (listener) =>
        listener(
          { node: 'b', role: 'node', code: 5, signal: null, lastWords: ['out of memory'] },
          'unexpected',
        ),
    });
    expect(await run(async () => fleet)).toBe(5);
    expect(await recordsOf('harness_fault')).toMatchObject([
      { code: 'PROCESS_ENDED', message: 'node of b ended before the first window (code 5): out of memory' },
    ]);
    expect(await recordsOf('process_exited')).toMatchObject([{ node: 'b', expected: false }]);
  });

  it('has every process that crashed while stopping on record before the evidence is closed', async () => {
    const abort = new AbortController();
    let tell: Parameters<Fleet['onProcessEnd']>[0] = () => {};
    await run(async () => {
      setTimeout(() => abort.abort(new InterruptError('SIGINT')), 20);
      return silentFleet({
        onProcessEnd: (listener) => {
          tell = listener;
        },
        stop: async () =>
          tell({ node: 'b', role: 'node', code: null, signal: 'SIGSEGV', lastWords: [] }, 'unexpected'),
      });
    }, abort.signal);
    const { entries } = await readJournal(join(proofDir, 'journal.ndjson'));
    const types = entries.map(({ record }) => record.type);
    expect(await recordsOf('process_exited')).toMatchObject([{ node: 'b', expected: false }]);
    expect(types.indexOf('process_exited')).toBeLessThan(types.indexOf('evidence_closed'));
  });

  it('and cannot take its mesh down says both, and is a fault even when interrupted', async () => {
    const abort = new AbortController();
    const stuck = new FaultError('CHILD_NOT_STOPPED', 'node of b (process 7) is still there');
    const exitCode = await run(async () => {
      setTimeout(() => abort.abort(new InterruptError('SIGINT')), 20);
      return silentFleet({ stop: () => Promise.reject(stuck) });
    }, abort.signal);
    expect(exitCode).toBe(5);
    expect(await recordsOf('run_interrupted')).toHaveLength(1);
    expect(await recordsOf('harness_fault')).toMatchObject([{ code: 'CHILD_NOT_STOPPED' }]);
    await expectInconclusive(5);
  });
});

describe('the end of a run', () => {
  it('is on record even when the proof cannot be judged', async () => {
    const spoil = async () => {
      await writeFile(join(proofDir, 'gate.toml'), '# another gate\n');
      throw new FaultError('X', 'x');
    };
    await expect(run(spoil)).rejects.toMatchObject({ code: 'GATE_CHANGED' });
    expect(await recordsOf('judged')).toEqual([]);
    expect((await recordsOf('harness_fault')).map(({ code }) => code)).toEqual(['X', 'GATE_CHANGED']);
    expect(await recordsOf('run_finished')).toMatchObject([{ exit_code: 5 }]);
  });

  it('keeps its verdict when a report cannot be written, and throws why', async () => {
    const obstruct = async () => {
      await mkdir(join(proofDir, 'summary.md', 'in-the-way'), { recursive: true });
      throw new FaultError('X', 'x');
    };
    await expect(run(obstruct)).rejects.toMatchObject({ code: 'REPORT_WRITE_FAILED' });
    expect(await recordsOf('judged')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ event: 'judged', verdict: 'INCONCLUSIVE', exit_code: 5 });
  });
});
