import type { Clock } from '../../kit/clock.ts';
import type { GossipDocument } from '../api/schema/gossip.ts';
import type { PeerId } from '../transport/transport.ts';
import { type Suppression, type SuppressionState, WINDOW_MS } from './cooling.ts';
import type { Outbound } from './outbound.ts';
import type { PlumTree } from './plumtree.ts';

type PubsubStages = GossipDocument['pubsub_stages'];
type Admission = PubsubStages['admission_state_by_peer'][string];

/** The time of one document, on both clocks. */
export interface Moment {
  readonly nowMs: number;
  /** Turns a time of the monotonic clock into Unix milliseconds. */
  readonly unixMs: (atMs: number) => number;
}

export function momentOf(clock: Clock): Moment {
  const nowMs = clock.nowMs();
  const offsetMs = clock.wallMs() - nowMs;
  return { nowMs, unixMs: (atMs) => Math.max(0, Math.round(atMs + offsetMs)) };
}

/** Who rests on which topic, and what each peer is admitted to. Every suppressed pair has its `peer_scores` row. */
export function suppressionDocuments(
  core: PlumTree,
  outbound: Outbound,
  { nowMs, unixMs }: Moment,
): Pick<
  PubsubStages,
  'suppressed_peers' | 'suppressed_peers_by_topic' | 'admission_state_by_peer' | 'suppression_cleanup_entries'
> {
  const suppressions = [...core.cooling.suppressions(nowMs)];
  const statesByPeer = Map.groupBy(suppressions, ([peer]) => peer);
  const byTopic = Map.groupBy(suppressions, ([, topic]) => topic);
  return {
    suppressed_peers: suppressions.map(([peer, topic, suppression]) => ({
      peer_id: peer,
      topic,
      ...suppressedFigures(suppression, { nowMs, unixMs }),
      affected_topics_count: statesByPeer.get(peer)?.length ?? 0,
    })),
    suppressed_peers_by_topic: Object.fromEntries(
      [...byTopic].map(([topic, pairs]) => [topic, pairs.map(([peer]) => peer)]),
    ),
    admission_state_by_peer: Object.fromEntries(
      [...core.topics.peers.keys()].map((peer) => {
        const states = (statesByPeer.get(peer) ?? []).map(([, , { state }]) => state);
        return [peer, admissionOf(states, outbound.depths(peer) ?? {})];
      }),
    ),
    suppression_cleanup_entries: core.cooling.size,
  };
}

function suppressedFigures(
  { state, untilMs, recentTimeouts, cooldownMs, cooledAtMs }: Suppression,
  { nowMs, unixMs }: Moment,
) {
  return {
    suppressed_until_unix_ms: unixMs(untilMs),
    suppressed_for_ms: Math.max(0, untilMs - nowMs),
    recent_timeout_count: recentTimeouts,
    recent_timeout_rate_per_sec: recentTimeouts / (WINDOW_MS / 1_000),
    cooldown_ms: cooldownMs,
    last_suppressed_unix_ms: unixMs(cooledAtMs),
    state,
    recovery_probe_in_flight: state === 'recovery_probe',
  };
}

function admissionOf(
  states: readonly SuppressionState[],
  depths: Readonly<Record<string, number>>,
): Admission {
  const count = (wanted: SuppressionState) => states.filter((state) => state === wanted).length;
  const [cooled, probed, ready] = [count('cooldown'), count('recovery_probe'), count('recovery_ready')];
  const recovering = probed > 0 ? 'recovery_probe' : 'recovery_ready';
  const suppressed = cooled > 0 ? 'cooled' : recovering;
  return {
    state: states.length === 0 ? 'alive' : suppressed,
    suppressed_topics_count: states.length,
    cooled_topics_count: cooled,
    recovery_probe_topics_count: probed,
    recovery_ready_topics_count: ready,
    priority_queue_depths: { ...depths },
  };
}

/** `anti_entropy_by_peer`: what comparing caches with each peer came to since this node started. */
export function antiEntropyDocument(
  core: PlumTree,
  { unixMs }: Moment,
): PubsubStages['anti_entropy_by_peer'] {
  const rows: [PeerId, PubsubStages['anti_entropy_by_peer'][string]][] = [];
  for (const [peer, { rounds, repaired, lastRoundMs }] of core.reconciliation.byPeer.entries()) {
    const lastRoundUnixMs = lastRoundMs === null ? null : unixMs(lastRoundMs);
    rows.push([
      peer,
      { rounds_total: rounds, repaired_total: repaired, last_round_unix_ms: lastRoundUnixMs },
    ]);
  }
  return Object.fromEntries(rows);
}
