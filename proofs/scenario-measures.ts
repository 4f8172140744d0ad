import { attackMeasures } from './attack-measures.ts';
import { harmMeasures } from './harm-measures.ts';
import type { ScenarioMeasure } from './scenario-measure.ts';
import { serviceMeasures } from './service-measures.ts';

export type { ScenarioMeasure } from './scenario-measure.ts';

const restartStorm = {
  meshed_secs: {
    unit: 's',
    meaning: "from a node's own restart until it is healthy and linked to every other node",
    of: 'target',
    pooled: 'greatest',
  },
  delivering_secs: {
    unit: 's',
    meaning:
      "from a node's own restart until a direct message to it and one from it were acknowledged and received",
    of: 'target',
    pooled: 'greatest',
  },
} as const satisfies Readonly<Record<string, ScenarioMeasure>>;

const partitionRecovery = {
  delivered_before_ratio: {
    unit: 'ratio',
    meaning: 'direct messages across the future cut that were delivered: the positive control',
    of: 'mesh',
    pooled: 'least',
    decides: 'experiment',
  },
  delivered_across_cut: {
    unit: '1',
    meaning:
      'direct messages that were delivered across the cut while it stood; a cut that lets any pass is none',
    of: 'mesh',
    pooled: 'sum',
    decides: 'experiment',
  },
  delivered_after_ratio: {
    unit: 'ratio',
    meaning: 'direct messages over every pair of the mesh that were delivered at the end of the healing time',
    of: 'mesh',
    pooled: 'least',
  },
  links_back_secs: {
    unit: 's',
    meaning: 'from heal until every node was healthy and linked to every other one',
    of: 'mesh',
    pooled: 'greatest',
  },
  resync_secs: {
    unit: 's',
    meaning: 'from heal until the logs of all nodes held every entry written during the cut, in equal heads',
    of: 'mesh',
    pooled: 'greatest',
  },
  unsynced_nodes: {
    unit: '1',
    meaning: 'nodes whose log still differed at the end of the healing time',
    of: 'mesh',
    pooled: 'sum',
  },
  anti_entropy_rounds: {
    unit: '1',
    meaning: 'comparisons of caches with each node of the other side, from heal to the end',
    of: 'target',
    pooled: 'least',
  },
  anti_entropy_repaired: {
    unit: '1',
    meaning: 'messages that those comparisons brought',
    of: 'target',
    pooled: 'sum',
  },
} as const satisfies Readonly<Record<string, ScenarioMeasure>>;

/**
 * The figures that scenarios may record, declared once: what they are called, in which unit, whose they are, and how
 * several make one. Gates limit them as `scenario.<scenario>.<measure>`; one that is declared and was not recorded is
 * INCONCLUSIVE wherever an objective asks for it.
 */
export const SCENARIO_MEASURES: Readonly<Record<string, Readonly<Record<string, ScenarioMeasure>>>> = {
  restart_storm: restartStorm,
  partition_recovery: partitionRecovery,
  ...harmMeasures,
  ...attackMeasures,
  ...serviceMeasures,
};
