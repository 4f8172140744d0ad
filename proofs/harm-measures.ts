import type { ScenarioMeasure } from './scenario-measure.ts';

type Measures = Readonly<Record<string, ScenarioMeasure>>;

const deliveredAfter = (meaning: string) =>
  ({ unit: 'ratio', meaning, of: 'mesh', pooled: 'least' }) as const satisfies ScenarioMeasure;

const highRttPeer = {
  cooled_by_ratio: {
    unit: 'ratio',
    meaning: 'share of the other nodes that held back from the slow one while it was slow',
    of: 'mesh',
    pooled: 'least',
  },
  cooling_events: {
    unit: '1',
    meaning: 'times that an observer cooled the slow node, from start to the end of the delay',
    of: 'observer',
    pooled: 'sum',
  },
  send_timeouts: {
    unit: '1',
    meaning: 'sends of an observer to the slow node that timed out, from start to the end of the delay',
    of: 'observer',
    pooled: 'sum',
  },
  first_cooled_secs: {
    unit: 's',
    meaning: 'from the delay in force until an observer was first seen to hold back; looks are 5 s apart',
    of: 'mesh',
    pooled: 'greatest',
  },
  drained_secs: {
    unit: 's',
    meaning: 'from heal until no observer held back from the node on more topics than at the start',
    of: 'mesh',
    pooled: 'greatest',
  },
  undrained_observers: {
    unit: '1',
    meaning: 'observers that still held back at the end of the healing time',
    of: 'mesh',
    pooled: 'sum',
  },
  bystander_coolings: {
    unit: '1',
    meaning: 'times that a node cooled any other than the slow one, over the whole scenario',
    of: 'node',
    pooled: 'sum',
  },
  delivered_beside_ratio: deliveredAfter(
    'direct messages among the other nodes that were delivered while one was slow',
  ),
  delivered_after_ratio: deliveredAfter('direct messages from and to the node that were delivered after it'),
} as const satisfies Measures;

const stalePeer = {
  marked_down_secs: {
    unit: 's',
    meaning: 'from the pause until an observer had no live link to the node any more',
    of: 'observer',
    pooled: 'greatest',
  },
  never_marked_down: {
    unit: '1',
    meaning: 'observers that took the paused node for alive until the end of the pause',
    of: 'mesh',
    pooled: 'sum',
  },
  delivered_beside_ratio: deliveredAfter(
    'direct messages among the other nodes that were delivered while one was paused',
  ),
  meshed_secs: {
    unit: 's',
    meaning: 'from the resumption until the node and every other one were healthy and linked to all',
    of: 'mesh',
    pooled: 'greatest',
  },
  delivering_secs: {
    unit: 's',
    meaning:
      'from the resumption until a message to the node from each of the others, and back, was delivered',
    of: 'mesh',
    pooled: 'greatest',
  },
  unrecovered: {
    unit: '1',
    meaning: 'nodes that were not back and delivering at the end of the recovery time: 0 or 1',
    of: 'mesh',
    pooled: 'sum',
  },
} as const satisfies Measures;

const asymmetricReachability = {
  delivered_before_ratio: {
    unit: 'ratio',
    meaning: 'direct messages between the two nodes that were delivered before the cut: the positive control',
    of: 'mesh',
    pooled: 'least',
    decides: 'experiment',
  },
  closed_secs: {
    unit: 's',
    meaning: 'from asking for the cut until one of the two had given the link up',
    of: 'mesh',
    pooled: 'greatest',
  },
  redialled_secs: {
    unit: 's',
    meaning: 'from asking for the cut until both had a live link of a newer generation',
    of: 'mesh',
    pooled: 'greatest',
  },
  unrepaired_links: {
    unit: '1',
    meaning: 'links that were not replaced in time: 0 or 1',
    of: 'mesh',
    pooled: 'sum',
  },
  delivered_over_new_link_ratio: deliveredAfter(
    'direct messages between the two nodes that were delivered over the new link',
  ),
  bystander_links_lost: {
    unit: '1',
    meaning: 'links of a node, other than the harmed one, that were gone or replaced at the end',
    of: 'node',
    pooled: 'sum',
  },
} as const satisfies Measures;

const idleRot = {
  published_in_silence: {
    unit: '1',
    meaning:
      'messages that a node published or sent while nothing was to be said; a silence with speech is none',
    of: 'node',
    pooled: 'sum',
    decides: 'experiment',
  },
  links_changed: {
    unit: '1',
    meaning: 'links of a node that were gone or replaced at the end of the silence',
    of: 'node',
    pooled: 'sum',
  },
  delivered_ratio: deliveredAfter(
    'direct messages over every pair that were delivered right after the silence',
  ),
  first_attempt_ratio: {
    unit: 'ratio',
    meaning: 'of those, the share that needed one attempt',
    of: 'mesh',
    pooled: 'least',
  },
} as const satisfies Measures;

const convergence = {
  entries_written: {
    unit: '1',
    meaning: 'log entries that nodes took',
    of: 'mesh',
    pooled: 'least',
    decides: 'experiment',
  },
  entries_refused: {
    unit: '1',
    meaning: 'log entries that a node refused, or did not answer for',
    of: 'mesh',
    pooled: 'sum',
  },
  equal_secs: {
    unit: 's',
    meaning:
      'from the last write (with a partition: from heal) until every node held every entry, in equal heads',
    of: 'mesh',
    pooled: 'greatest',
  },
  unequal_nodes: {
    unit: '1',
    meaning: 'nodes whose log differed or lacked entries at the end of the healing time',
    of: 'mesh',
    pooled: 'sum',
  },
  diverged_looks: {
    unit: '1',
    meaning: 'looks after equality at which a node held something else again',
    of: 'mesh',
    pooled: 'sum',
  },
} as const satisfies Measures;

/** Figures of the scenarios that slow, pause or half-cut a node, leave the mesh idle, or compare what it wrote. */
export const harmMeasures = {
  high_rtt_peer: highRttPeer,
  stale_peer: stalePeer,
  asymmetric_reachability: asymmetricReachability,
  idle_rot: idleRot,
  convergence,
};
