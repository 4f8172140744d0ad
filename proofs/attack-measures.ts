import type { ScenarioMeasure } from './scenario-measure.ts';

const underAttack = {
  attempts: {
    unit: '1',
    meaning: 'what the outsiders of each kind did: dials, and frames that they sent',
    of: 'mesh',
    pooled: 'least',
    decides: 'experiment',
  },
  noticed: {
    unit: '1',
    meaning:
      "growth of the node's own counters that tell of each kind of outsider: proof that the attack arrived",
    of: 'node',
    pooled: 'least',
    decides: 'experiment',
  },
  delivered_ratio: {
    unit: 'ratio',
    meaning: 'direct messages over every pair of the mesh that were delivered during the attack',
    of: 'mesh',
    pooled: 'least',
  },
  honest_suppressed: {
    unit: '1',
    meaning:
      'honest peers that the node let rest on a topic of the mesh while outsiders were at work, the most at any look',
    of: 'node',
    pooled: 'greatest',
  },
  rss_growth_mib: {
    unit: 'MiB',
    meaning: 'growth of the resident memory of the node from before the attack, the greatest at any look',
    of: 'node',
    pooled: 'greatest',
  },
  strangers_left: {
    unit: '1',
    meaning:
      'links of the node to peers outside the roster after the outsiders had gone and their links had timed out',
    of: 'node',
    pooled: 'greatest',
  },
} as const satisfies Readonly<Record<string, ScenarioMeasure>>;

/** Figures of the scenarios in which hostile programs join from outside the roster. */
export const attackMeasures = {
  bad_external_peer: underAttack,
  many_bad_peers: underAttack,
} as const;
