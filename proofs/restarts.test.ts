import { describe, expect, test } from 'vitest';
import type { RecordOf, SampleRecord } from './evidence.ts';
import { seen } from './observation.ts';
import { findRestarts } from './restarts.ts';

const SCENARIOS = ['baseline', 'restart_storm'];

interface Look {
  readonly at: number;
  readonly boot: string;
  readonly uptimeSecs?: number;
  readonly window?: number | null;
  readonly scenario?: string | null;
  readonly phase?: SampleRecord['phase'];
}

function sample({ at, boot, uptimeSecs, window = 1, scenario = 'restart_storm', phase = 'schedule' }: Look) {
  const epoch = { boot_id: boot, uptime_secs: uptimeSecs ?? at };
  return {
    type: 'sample',
    window,
    scenario,
    phase,
    node: 'nyc',
    at_wall_ms: at * 1_000,
    at_mono_ms: at * 1_000,
    took_ms: 10,
    epoch,
    documents: { runtime: seen({ file: `${at}.json`, sha256: 'a'.repeat(64), bytes: 2, epoch }) },
    gauges: {},
  } satisfies SampleRecord;
}

function declared(window: number, scenario = 'restart_storm'): RecordOf<'restart_declared'> {
  return { type: 'restart_declared', window, scenario, node: 'nyc' };
}

function declaredness(looks: readonly Look[], declarations: readonly RecordOf<'restart_declared'>[]) {
  const restarts = findRestarts('nyc', looks.map(sample), 'a', declarations, SCENARIOS);
  return restarts.map((restart) => restart.declared);
}

describe('restarts of a node', () => {
  test('are none while boot_id stays and uptime grows', () => {
    expect(
      declaredness(
        [
          { at: 1, boot: 'a' },
          { at: 2, boot: 'a' },
          { at: 9, boot: 'a' },
        ],
        [],
      ),
    ).toEqual([]);
  });

  test('before the first sample are seen from the boot_id at identification', () => {
    expect(declaredness([{ at: 1, boot: 'b' }], [])).toEqual([false]);
  });

  test('are explained by one declaration each', () => {
    const looks = [
      { at: 1, boot: 'a' },
      { at: 2, boot: 'b' },
      { at: 3, boot: 'c' },
    ];
    expect(declaredness(looks, [declared(1)])).toEqual([true, false]);
    expect(declaredness(looks, [declared(1), declared(1)])).toEqual([true, true]);
  });

  test('are not explained by a declaration of an earlier or later place', () => {
    const inBaseline = { scenario: 'baseline', window: 2 } as const;
    const looks: Look[] = [
      { at: 1, boot: 'a', phase: 'pre', ...inBaseline },
      { at: 2, boot: 'b', phase: 'post', ...inBaseline },
    ];
    expect(declaredness(looks, [declared(1)])).toEqual([false]);
    expect(declaredness(looks, [declared(2)])).toEqual([false]);
    expect(declaredness(looks, [declared(3, 'baseline')])).toEqual([false]);
    expect(declaredness(looks, [declared(2, 'baseline')])).toEqual([true]);
  });

  test('between two scenarios are explained by neither of them', () => {
    const looks: Look[] = [
      { at: 1, boot: 'a', phase: 'post', scenario: 'baseline' },
      { at: 2, boot: 'b', phase: 'pre', scenario: 'restart_storm' },
    ];
    expect(declaredness(looks, [declared(1), declared(1, 'baseline')])).toEqual([false]);
  });

  test('seen only after a lost post sample are still explained', () => {
    const looks: Look[] = [
      { at: 1, boot: 'a', phase: 'pre' },
      { at: 9, boot: 'b', phase: 'pre', scenario: 'baseline', window: 2 },
    ];
    expect(declaredness(looks, [declared(1)])).toEqual([true]);
  });

  test('show in an uptime that goes back under the same boot_id, beyond the length of a round', () => {
    const back = (uptimeSecs: number): Look[] => [
      { at: 50, boot: 'a', uptimeSecs: 50 },
      { at: 51, boot: 'a', uptimeSecs },
    ];
    expect(declaredness(back(3), [])).toEqual([false]);
    expect(declaredness(back(49.995), [])).toEqual([]);
  });

  test('inside one round are one restart, the old process first', () => {
    const mixed = sample({ at: 2, boot: 'a' });
    const { runtime } = sample({ at: 2, boot: 'b', uptimeSecs: 0.1 }).documents;
    const both: SampleRecord = { ...mixed, documents: { gossip: runtime, runtime: mixed.documents.runtime } };
    const restarts = findRestarts(
      'nyc',
      [both, sample({ at: 3, boot: 'b', uptimeSecs: 1 })],
      'a',
      [],
      SCENARIOS,
    );
    expect(restarts).toHaveLength(1);
  });
});

test('notices a restart that only scheduled rounds saw, which keep no documents', () => {
  const looks: readonly Look[] = [
    { at: 10, boot: 'a' },
    { at: 15, boot: 'b', uptimeSecs: 2 },
    { at: 20, boot: 'a', uptimeSecs: 20 },
  ];
  const rounds = looks.map((look) => ({ ...sample(look), documents: {} }));
  expect(findRestarts('nyc', rounds, 'a', [], SCENARIOS).length).toBeGreaterThan(0);
});
