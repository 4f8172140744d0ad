import { describe, expect, test } from 'vitest';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { IDLE, STALE } from './broken-harms.ts';
import { PARTITION } from './broken-partitions.ts';
import { LATE_READER } from './broken-services.ts';
import { judge } from './judge.ts';
import { evidenceOf, figureFrom, objectivesThatAre, shippedGate, without } from './planted-defects.ts';
import { type GoodScenario, runWith } from './planted-scenarios.ts';

const TIMEOUTS = 'gossip.dispatcher.pubsub.timed_out';
const strict = shippedGate('broad-launch');

/** Timeouts of `node` from its reading `step` on, in a run whose third scenario is a partition (readings 5 and 6). */
function timeouts(node: string, step: number, more: FixtureOverrides = {}) {
  return judge(
    evidenceOf({ ...runWith(PARTITION), ...figureFrom(node, step, TIMEOUTS, 9), ...more }),
    strict,
  );
}

describe('a node that a fault targets', () => {
  test('is not held to an objective that exempts it there, and the finding says so', () => {
    const verdict = timeouts('nyc', 6);
    expect(objectivesThatAre('NO-GO', verdict)).toEqual([]);
    const finding = verdict.findings.find(
      ({ objective, scenario, subject }) =>
        objective === 'no dispatcher timeouts' && scenario === 'partition_recovery' && subject === 'nyc',
    );
    expect(finding).toMatchObject({
      verdict: 'GO',
      margin: null,
      reason: 'nyc: nyc exempt as the target of a fault in partition_recovery',
    });
  });

  test('is held to it in every other scenario', () => {
    expect(objectivesThatAre('NO-GO', timeouts('nyc', 4))).toEqual(['no dispatcher timeouts']);
  });

  test('is held to it when no fault targeted it', () => {
    const { records } = runWith(PARTITION);
    const bare = without(({ type }) => type.startsWith('fault_'));
    const verdict = timeouts('nyc', 6, { records: (all) => bare.records(records(all)) });
    expect(objectivesThatAre('NO-GO', verdict)).toEqual([
      'no dispatcher timeouts',
      'no dispatcher timeouts over the soak',
    ]);
  });

  test('is held to every objective that does not exempt it', () => {
    const drops = figureFrom('nyc', 6, 'gossip.recv_pump.pubsub.dropped_full', 1);
    const verdict = judge(evidenceOf({ ...runWith(PARTITION), ...drops }), strict);
    expect(objectivesThatAre('NO-GO', verdict)).toContain('no receive drops');
  });
});

describe('an objective with exceptions', () => {
  const RATIO = 'gossip.pubsub_stages.republish_per_peer_timeout';
  const timedOut = (scenario: GoodScenario, step: number) =>
    judge(evidenceOf({ ...runWith(scenario), ...figureFrom('ams', step, RATIO, 900) }), strict);

  test('does not look at what a scenario breaks on purpose, and at everything else', () => {
    expect(objectivesThatAre('NO-GO', timedOut(STALE, 6))).toEqual([]);
    expect(objectivesThatAre('NO-GO', timedOut(STALE, 4))).toEqual(['per-peer timeouts in proportion']);
    expect(objectivesThatAre('NO-GO', timedOut(IDLE, 6))).toEqual(['per-peer timeouts in proportion']);
  });
});

describe('a node that a scenario declares to be its target', () => {
  const DROPPED = 'gossip.stats.slow_subscriber_dropped';
  const dropsAt = (node: string, more: FixtureOverrides = {}) =>
    judge(evidenceOf({ ...runWith(LATE_READER), ...figureFrom(node, 6, DROPPED, 40), ...more }), strict);

  test('is exempt there as the target of a fault is', () => {
    expect(objectivesThatAre('NO-GO', dropsAt('nyc'))).toEqual([]);
  });

  test('is the only one that is exempt', () => {
    expect(objectivesThatAre('NO-GO', dropsAt('ams'))).toEqual(['no subscriber left behind']);
  });

  test('is held to it when nobody declared it', () => {
    const { records } = runWith(LATE_READER);
    const bare = without(({ type }) => type === 'target_declared');
    const verdict = dropsAt('nyc', { records: (all) => bare.records(records(all)) });
    expect(objectivesThatAre('NO-GO', verdict)).toContain('no subscriber left behind');
  });
});
