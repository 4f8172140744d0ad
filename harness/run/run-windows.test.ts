import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import type { EvidenceRecord, RecordOf } from '../../proofs/evidence.ts';
import type { ProgressEvent } from '../progress/progress.ts';
import { fixturePlan } from './fixture-plan.ts';
import { runWindows, type WindowsModules } from './run-windows.ts';
import { StopWatch } from './stop-watch.ts';

const INTERVAL_MS = 40;

/** A soak of five windows without a scenario, on no host, where writing the start of a window takes `startMs`. */
function soak(
  startMs: number,
  record: (record: EvidenceRecord) => Promise<void>,
  tally: WindowsModules['channel']['tally'] = () => new Map(),
) {
  const plan = fixturePlan({ soak: { durationMs: INTERVAL_MS * 5, intervalMs: INTERVAL_MS } });
  const events: ProgressEvent[] = [];
  const modules = {
    plan,
    ledger: {
      record: async (entry: EvidenceRecord) => {
        if (entry.type === 'window_started') await realClock.sleep(startMs);
        await record(entry);
      },
      storeDocument: () => Promise.reject(new Error('no document')),
    },
    progress: { show: (event: ProgressEvent) => events.push(event), close: () => {} },
    hosts: [],
    channel: { tally } as WindowsModules['channel'], // no scenario uses more of it
    identities: new Map(),
    stops: new StopWatch([]),
    faults: {} as WindowsModules['faults'], // no scenario makes any
    judgeWindow: () => ({
      gate: 'g',
      gate_sha256: 'a'.repeat(64),
      overall: 'GO',
      windows: [],
      reasons: [],
      findings: [],
    }),
    lookAtHosts: async () => {},
    checkWays: async () => {},
    giveUp: () => {},
  } satisfies WindowsModules;
  return { modules, events };
}

describe('the windows of a soak', () => {
  it('that take longer than their interval leave missed ones on record, each with its reason', async () => {
    const finished: string[] = [];
    const { modules, events } = soak(INTERVAL_MS * 2.5, async (entry) => {
      if (entry.type === 'window_finished') finished.push(`${entry.window} ${entry.outcome}`);
      if (entry.type === 'window_finished' && entry.outcome === 'missed')
        expect(entry.why).toMatch(/its slot/);
    });
    await runWindows(modules, new AbortController().signal);
    expect(finished.map((text) => text.split(' ')[0])).toEqual(['1', '2', '3', '4', '5']);
    expect(finished[0]).toBe('1 ran');
    expect(finished).toContain('2 missed');
    expect(events.filter(({ event }) => event === 'window_missed').length).toBe(
      finished.filter((text) => text.endsWith('missed')).length,
    );
  });

  it('each have a tally of every runner; what was met between them is told apart', async () => {
    const clean = { results: 0, forged: 0, lost: 0, doubled: 0, malformed: 0, reconnects: 0, restarts: 0 };
    const [a, b] = [{ ...clean }, { ...clean }];
    const tallies: RecordOf<'control_tally'>[] = [];
    let ran = 0; // all five, unless this machine stood still
    const { modules } = soak(
      0,
      async (entry) => {
        if (entry.type === 'control_tally') tallies.push(entry);
        if (entry.type === 'window_started') a.results += 2;
        if (entry.type === 'window_started' && entry.window === 3) b.lost += 4;
        if (entry.type === 'window_finished' && entry.outcome === 'ran') ran += 1;
        if (entry.type === 'window_finished' && entry.window === 1) a.results += 1;
        if (entry.type === 'window_finished' && entry.window === 1) b.restarts += 1;
        if (entry.type === 'window_finished' && entry.window === 5) a.forged += 1;
      },
      () =>
        new Map([
          ['a', { ...a }],
          ['b', { ...b }],
        ]),
    );
    await runWindows(modules, new AbortController().signal);
    const inside = tallies.filter(({ window }) => window !== null);
    expect(inside).toHaveLength(2 * ran);
    for (const entry of inside) {
      const lost = entry.node === 'b' && entry.window === 3 ? 4 : 0;
      expect(entry).toMatchObject({ ...clean, results: entry.node === 'a' ? 2 : 0, lost });
    }
    const outside = tallies.filter(({ window }) => window === null);
    expect(outside.toSorted((one, other) => one.node.localeCompare(other.node))).toMatchObject([
      { node: 'a', ...clean, forged: 1 },
      { node: 'b', ...clean, restarts: 1 },
    ]);
  });

  it('are judged when it is known which ways to machines are lost', async () => {
    const told: string[] = [];
    const { modules } = soak(0, async ({ type }) => {
      if (type === 'window_finished') told.push(type);
    });
    const checkWays = async () => void told.push('ways checked');
    const judgeWindow = () => {
      told.push('judged');
      return modules.judgeWindow();
    };
    await runWindows({ ...modules, checkWays, judgeWindow }, new AbortController().signal);
    expect(told.slice(0, 3)).toEqual(['ways checked', 'window_finished', 'judged']);
  });

  it.for([
    ['a lost node when the way to it stands', 'stands', 'lost-node'],
    ['lost telemetry, and no lost node, when the way to it is lost', 'lost', 'lost-telemetry'],
  ] as const)('end early for a silent node, which is %s', async ([, way, condition]) => {
    const { modules } = soak(0, async () => {});
    const node = { document: () => Promise.reject(new Error('silence')) };
    const stops = new StopWatch(['lost-node', 'lost-telemetry']);
    const given: unknown[] = [];
    const silent = {
      ...modules,
      stops,
      plan: { ...modules.plan, telemetry: { every_ms: 5, deadline_ms: 50 } },
      hosts: [{ name: 'a', node }] as unknown as WindowsModules['hosts'],
      faults: { isHeldDown: () => false } as unknown as WindowsModules['faults'],
      checkWays: async (nodes?: readonly string[]) => {
        if (way === 'lost' && nodes !== undefined) stops.wayChanged('a', 'lost');
      },
      giveUp: (reason: unknown) => given.push(reason),
      lookAtHosts: async () => {
        await until('the run to be given up', async () => given[0], { budgetMs: 10_000, everyMs: 5 });
      },
    };
    await runWindows(silent, new AbortController().signal);
    expect(given[0]).toMatchObject({ condition });
  });

  it('end with the fault when a record cannot be written', async () => {
    const full = new FaultError('JOURNAL_WRITE_FAILED', 'no space left on device');
    const { modules } = soak(0, (entry) =>
      entry.type === 'window_started' ? Promise.reject(full) : Promise.resolve(),
    );
    await expect(runWindows(modules, new AbortController().signal)).rejects.toBe(full);
  });
});
