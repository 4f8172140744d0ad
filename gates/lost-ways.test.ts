import { describe, expect, it, test } from 'vitest';
import type { EvidenceRecord, Verdict } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { healthyRestart } from '../proofs/fixture-faults.ts';
import { PARTITION } from './broken-partitions.ts';
import { judge } from './judge.ts';
import { indexLostWays } from './lost-ways.ts';
import { added, changed, evidenceOf, objectivesThatAre, restarted, shippedGate } from './planted-defects.ts';
import { runWith } from './planted-scenarios.ts';

const gate = shippedGate('broad-launch');
const WHY = /the way to nyc was lost, which says nothing about the nodes \(HOST_LOST\)/;

const lost = (sinceMs: number, node = 'nyc'): EvidenceRecord => ({
  type: 'control_lost',
  node,
  code: 'HOST_LOST',
  why: 'HOST_LOST',
  since_mono_ms: sinceMs,
});
const regained = (atMs: number, node = 'nyc'): EvidenceRecord => ({
  type: 'control_regained',
  node,
  after_ms: 1,
  at_mono_ms: atMs,
});

type Change = Required<Pick<FixtureOverrides, 'records'>>;

function judged(...changes: readonly Change[]): Verdict {
  return judge(
    evidenceOf({ records: (records) => changes.reduce((all, change) => change.records(all), records) }),
    gate,
  );
}

/** Its first baseline listened to ams→nyc from 1.2 s to 1.8 s, and nothing was reported back. */
const NOTHING_BACK = { accepted: false, acked: false, received: false, attempts: null, path: null } as const;
function pair(failure: 'send_no_result' | 'recv_miss' | null, span = { from: 1_200, until: 1_800 }): Change {
  return changed(
    'pair_outcome',
    ({ window, from, to }) => window === 1 && from === 'ams' && to === 'nyc',
    (outcome) => ({
      ...outcome,
      ...(failure === 'send_no_result' && NOTHING_BACK),
      ...(failure === 'recv_miss' && { received: false }),
      failure: failure === null ? null : { class: failure, detail: 'planted' },
      span_mono_ms: span,
    }),
  );
}

describe('a pair whose way was lost between its command and the end of listening', () => {
  test.for(['send_no_result', 'recv_miss'] as const)('is INCONCLUSIVE and never NO-GO with %s', (failure) => {
    expect(objectivesThatAre('NO-GO', judged(pair(failure)))).toContain('every planned pair delivered');
    for (const node of ['nyc', 'ams']) {
      const away = added(1, lost(1_500, node), regained(3_000, node));
      const verdict = judged(pair(failure), away);
      expect(verdict.overall).toBe('INCONCLUSIVE');
      expect(objectivesThatAre('NO-GO', verdict)).toEqual([]);
      expect(verdict.findings.filter(({ verdict: word }) => word !== 'GO')).toContainEqual(
        expect.objectContaining({
          objective: 'every planned pair delivered',
          reason: expect.stringContaining(`ams→nyc: the way to ${node} was lost`),
        }),
      );
    }
  });

  test('is never GO, although both ends reported', () => {
    const verdict = judged(pair(null), added(1, lost(1_500), regained(1_600)));
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toContain('every planned pair delivered');
  });

  test.for([
    ['the way was lost after it was over', [lost(1_801), regained(3_000)]],
    ['the way stood again before it began', [lost(100), regained(1_199)]],
    ['it was the way to somebody else', [lost(1_500, 'fra'), regained(3_000, 'fra')]],
  ] as const)('is judged as ever when %s', ([, records]) => {
    expect(objectivesThatAre('NO-GO', judged(pair('send_no_result'), added(1, ...records)))).toContain(
      'every planned pair delivered',
    );
  });

  test('does not excuse the pairs between other machines', () => {
    const evidence = evidenceOf({
      nodes: ['ams', 'fra', 'nyc'],
      records: (all) => added(1, lost(1_500)).records(other().records(all)),
    });
    expect(judge(evidence, gate)).toMatchObject({ overall: 'NO-GO' });
    function other() {
      return changed(
        'pair_outcome',
        ({ from, to }) => from === 'ams' && to === 'fra',
        (outcome) => ({
          ...outcome,
          ...NOTHING_BACK,
          failure: { class: 'send_no_result', detail: 'planted' },
          span_mono_ms: { from: 1_200, until: 1_800 },
        }),
      );
    }
  });
});

describe('a burst', () => {
  const short = (subscriber: string) =>
    changed(
      'burst_delivery',
      (burst) => burst.window === 1 && burst.subscriber === subscriber,
      (burst) => ({ ...burst, delivered: 150, span_mono_ms: { from: 3_200, until: 3_800 } }),
    );

  test('of which the publisher or the subscriber was out of reach is INCONCLUSIVE, never NO-GO', () => {
    expect(judged(short('nyc')).overall).toBe('NO-GO');
    for (const node of ['ams', 'nyc']) {
      const verdict = judged(short('nyc'), added(1, lost(3_500, node), regained(9_000, node)));
      expect(verdict.overall).toBe('INCONCLUSIVE');
      expect(objectivesThatAre('NO-GO', verdict)).toEqual([]);
    }
  });
});

describe('what a scenario learns while a way is lost', () => {
  /** Readings 5 and 6 of each node, at 5 s and 6 s, are around the restarts. */
  const storm = (...more: readonly EvidenceRecord[]) =>
    judge(
      evidenceOf({
        windows: 1,
        scenarios: ['baseline', 'fanout_burst', 'restart_storm'],
        ...restarted('nyc', 6),
        ...added(
          1,
          ...healthyRestart({ window: 1, scenario: 'restart_storm' }, 'f1', 'nyc'),
          { type: 'node_recovered', window: 1, scenario: 'restart_storm', node: 'nyc', after_ms: null },
          ...more,
        ),
      }),
      gate,
    );

  test('is INCONCLUSIVE, never a node that did not recover', () => {
    expect(objectivesThatAre('NO-GO', storm())).not.toEqual([]);
    const verdict = storm(lost(5_500), regained(8_000));
    expect(objectivesThatAre('NO-GO', verdict)).toEqual([]);
    expect(verdict.findings.map(({ reason }) => reason).join('\n')).toMatch(WHY);
    expect(objectivesThatAre('NO-GO', storm(lost(1_000), regained(2_000)))).not.toEqual([]);
  });

  test('is INCONCLUSIVE, never a figure that breaks its limit', () => {
    const { records = (all) => all, ...more } = runWith(PARTITION);
    const figure = changed(
      'measurement',
      ({ name }) => name === 'delivered_after_ratio',
      (record) => ({ ...record, value: 0.5 }),
    );
    const recovery = (...away: readonly EvidenceRecord[]) =>
      judge(
        evidenceOf({ ...more, records: (all) => added(1, ...away).records(figure.records(records(all))) }),
        gate,
      );
    expect(objectivesThatAre('NO-GO', recovery())).not.toEqual([]);
    const verdict = recovery(lost(5_500), regained(5_600));
    expect(objectivesThatAre('NO-GO', verdict)).toEqual([]);
    expect(verdict.overall).toBe('INCONCLUSIVE');
  });

  test('does not make a scenario that threw a NO-GO', () => {
    const threw = changed(
      'scenario_finished',
      ({ window, scenario }) => window === 1 && scenario === 'baseline',
      (record) => ({ ...record, outcome: 'failed' as const, why: 'NODE_UNREACHABLE' }),
    );
    expect(judged(threw).overall).toBe('NO-GO');
    const verdict = judged(threw, added(1, lost(1_500), regained(1_700)));
    expect(objectivesThatAre('NO-GO', verdict)).toEqual([]);
    expect(verdict.overall).toBe('INCONCLUSIVE');
  });
});

describe('a process that was ended on purpose while its journal was out of reach', () => {
  const ended = added(2, {
    type: 'process_exited',
    ...{ node: 'nyc', role: 'node', code: null, signal: null, expected: true, last_words: [] },
  });

  test('is INCONCLUSIVE, and NO-GO when its journal could have been read', () => {
    expect(judged(ended).overall).toBe('NO-GO');
    expect(judged(ended, added(2, lost(90_000), regained(91_000))).overall).toBe('INCONCLUSIVE');
  });
});

describe('the span of a loss', () => {
  const at = (from: number, until: number) => ({
    ...{ window: 1, scenario: 'baseline' },
    span_mono_ms: { from, until },
  });

  it('has no end when the way was never found again', () => {
    const ways = indexLostWays([lost(100)]);
    expect(ways.whyLost(['nyc'], at(5_000_000, 5_000_001))).toMatch(WHY);
    expect(ways.whyLost(['nyc'], at(1, 99))).toBeNull();
    expect(ways.whyLost(['ams'], at(100, 200))).toBeNull();
  });

  it('ends with the first return after it, so that two losses leave the time between them judged', () => {
    const ways = indexLostWays([lost(100), regained(200), lost(300), regained(400)]);
    const hits = [150, 250, 350, 450].map((ms) => ways.whyLost(['nyc'], at(ms, ms)) !== null);
    expect(hits).toEqual([true, false, true, false]);
  });

  it('meets a record that tells no time from the first sample of its scenario to the last', () => {
    const { records } = evidenceOf();
    const whole = { window: 1, scenario: 'baseline' };
    const hits = ([from, to]: readonly [number, number]) =>
      indexLostWays([...records, lost(from), regained(to)]).whyLost(['nyc'], whole) !== null;
    expect(hits([1_400, 1_500])).toBe(true);
    expect(hits([2_100, 2_900])).toBe(false);
    const unsampled = records.filter((one) => one.type !== 'sample' || one.phase !== 'post');
    expect(indexLostWays([...unsampled, lost(9_000)]).whyLost(['nyc'], whole)).toMatch(WHY);
  });
});
