import { describe, expect, test } from 'vitest';
import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { judge } from './judge.ts';
import { evidenceOf, objectivesThatAre, shippedGate } from './planted-defects.ts';

const PLAN = 'the sealed plan was carried out';
const gate = shippedGate('limited-production');
const WHY = 'FAULT_UNAVAILABLE: no shape here: nyc: the kernel has no netem';

/** The scenarios `idle` of window 1 end at once, as ones whose fault is not to be had do. */
function planned(scenarios: readonly string[], idle: readonly string[]): FixtureOverrides {
  return {
    windows: 1,
    scenarios,
    records: (records) =>
      records.flatMap((record): EvidenceRecord[] => {
        if (!('scenario' in record) || !idle.includes(record.scenario ?? '')) return [record];
        if (record.type === 'pair_outcome' || record.type === 'burst_delivery') return [];
        return [record.type === 'scenario_finished' ? { ...record, outcome: 'not_run', why: WHY } : record];
      }),
  };
}

describe('a planned scenario that did not run', () => {
  const verdict = judge(evidenceOf(planned(['baseline', 'high_rtt_peer'], ['high_rtt_peer'])), gate);

  test('is one reason: its name, why, and how many objectives stay unjudged', () => {
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(verdict.reasons).toEqual([
      `INCONCLUSIVE ${PLAN}: high_rtt_peer of window 1 did not run: ${WHY}; 7 objectives on it stay unjudged; ` +
        'running it would decide it',
    ]);
    expect(verdict.windows[0]?.reasons).toEqual(verdict.reasons);
  });

  test('has each of these objectives as a finding', () => {
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toHaveLength(1 + 7);
    const own = verdict.findings.filter(({ scenario }) => scenario === 'high_rtt_peer');
    expect(own.filter(({ objective }) => objective === 'nobody but the slow peer suppressed')).toHaveLength(
      2,
    );
  });

  test('has a reason of its own beside others that did not run', () => {
    const idle = ['high_rtt_peer', 'stale_peer', 'idle_rot', 'partition_recovery'];
    const { reasons } = judge(evidenceOf(planned(['baseline', ...idle], idle)), gate);
    expect(reasons.map((reason) => /: (\w+) of window 1 did not run/.exec(reason)?.[1])).toEqual(idle);
  });

  test('hides nothing that was seen to be broken there', () => {
    const { records, ...plan } = planned(['baseline', 'high_rtt_peer'], ['high_rtt_peer']);
    const drops = judge(
      evidenceOf({
        ...plan,
        ...(records && { records }),
        body: (body, name, { scenario, phase }) =>
          name === 'runtime' && scenario === 'high_rtt_peer' && phase === 'post'
            ? { ...body, unhandled_errors_total: 3 }
            : body,
      }),
      gate,
    );
    expect(drops.overall).toBe('NO-GO');
    expect(drops.reasons.join('\n')).toMatch(/NO-GO no unhandled error: .* \(window 1 high_rtt_peer\)/);
  });
});

test('a window that never began is one reason, for all that it holds', () => {
  const evidence = evidenceOf({ windows: 3 });
  const from = evidence.records.findIndex((r) => r.type === 'window_started' && r.window === 2);
  const { windows, reasons } = judge({ ...evidence, records: evidence.records.slice(0, from) }, gate);
  expect(windows[1]?.reasons).toHaveLength(1);
  expect(windows[1]?.reasons[0]).toMatch(
    /window 2 of 3 did not run; \d\d objectives on it stay unjudged; running it would decide it$/,
  );
  expect(reasons.filter((reason) => reason.includes('window 3 of 3'))).toHaveLength(1);
});

test('of a scenario that failed every reason stays, since it did run', () => {
  const { records, ...plan } = planned(['baseline', 'high_rtt_peer'], ['high_rtt_peer']);
  const failed = evidenceOf({
    ...plan,
    records: (healthy) =>
      (records?.(healthy) ?? healthy).map((record) =>
        record.type === 'scenario_finished' && record.outcome === 'not_run'
          ? { ...record, outcome: 'failed' }
          : record,
      ),
  });
  const { reasons } = judge(failed, gate);
  expect(reasons[0]).toContain(`NO-GO ${PLAN}: high_rtt_peer of window 1 failed: ${WHY}`);
  expect(reasons.length).toBeGreaterThan(5);
});
