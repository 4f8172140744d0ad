import type { ScenarioMeasure } from './scenario-measure.ts';

const delayedReader = {
  read_late_secs: {
    unit: 's',
    meaning:
      'age of the oldest message when the delayed reader got it: whether it really read nothing meanwhile',
    of: 'target',
    pooled: 'least',
    decides: 'experiment',
  },
  lost: {
    unit: '1',
    meaning: 'messages of the burst that the delayed reader never got',
    of: 'target',
    pooled: 'sum',
  },
  uncounted_losses: {
    unit: '1',
    meaning: 'messages that the delayed reader never got and that its node does not count as dropped',
    of: 'target',
    pooled: 'sum',
  },
  rss_growth_mib: {
    unit: 'MiB',
    meaning: 'growth of the resident memory of the node from before the burst, the greatest at any look',
    of: 'node',
    pooled: 'greatest',
  },
} as const satisfies Readonly<Record<string, ScenarioMeasure>>;

const rollingUpgrade = {
  delivered_during_ratio: {
    unit: 'ratio',
    meaning: 'direct messages over the pairs beside the node that was being restarted that were delivered',
    of: 'mesh',
    pooled: 'least',
  },
  back_secs: {
    unit: 's',
    meaning:
      "from a node's own restart until it was healthy, linked to every other node, and delivering both ways",
    of: 'target',
    pooled: 'greatest',
  },
  not_upgraded: {
    unit: '1',
    meaning: 'nodes that were restarted onto the other bundle and do not say that they run it',
    of: 'mesh',
    pooled: 'sum',
  },
  delivered_after_ratio: {
    unit: 'ratio',
    meaning: 'direct messages over every pair of the mesh that were delivered after the last restart',
    of: 'mesh',
    pooled: 'least',
  },
} as const satisfies Readonly<Record<string, ScenarioMeasure>>;

const clockSkew = {
  offset_ms: {
    unit: 'ms',
    meaning: "wall clock of the node's host minus the harness's, by the quickest of several answers",
    of: 'node',
    pooled: 'greatest',
  },
  uncertainty_ms: {
    unit: 'ms',
    meaning: 'half the round trip of that answer: the offset is known no better',
    of: 'node',
    pooled: 'greatest',
  },
  skewed_nodes: {
    unit: '1',
    meaning: 'nodes whose clock is surely more than 500 ms off; reported, never judged',
    of: 'mesh',
    pooled: 'sum',
  },
} as const satisfies Readonly<Record<string, ScenarioMeasure>>;

/** Figures of the scenarios about what a mesh owes its users while it is served, upgraded and timed. */
export const serviceMeasures = {
  delayed_reader: delayedReader,
  rolling_upgrade: rollingUpgrade,
  clock_skew: clockSkew,
} as const;
