import * as z from 'zod';
import type { ConnectivityDocument } from '../../node/api/schema/connectivity.ts';
import type { GossipDocument } from '../../node/api/schema/gossip.ts';
import type { PeerView } from '../../proofs/scenario-records.ts';

/** Nodes that keep no such counters leave them out: then they are null, never 0. */
const antiEntropySchema = z.record(
  z.string(),
  z.object({ rounds_total: z.int().min(0), repaired_total: z.int().min(0) }),
);

/** Whether two ids name the same peer: documents may shorten them, so that either may be the start of the other. */
function isSamePeer(a: string, b: string): boolean {
  return a.length > 0 && b.length > 0 && (a.startsWith(b) || b.startsWith(a));
}

function countBy(values: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(values, (value) => value)].map(([value, all]) => [value, all.length]),
  );
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const average = (values: readonly number[]) => (values.length === 0 ? null : sum(values) / values.length);
const least = (values: readonly number[]) => (values.length === 0 ? null : Math.min(...values));
const greatest = (values: readonly number[]) => (values.length === 0 ? null : Math.max(...values));

/** How the node behind these two documents sees the peer with that machine id. Pure. */
export function peerViewOf(
  gossip: GossipDocument,
  connectivity: ConnectivityDocument,
  machineId: string,
): NonNullable<PeerView['view']> {
  const stages = gossip.pubsub_stages;
  const isTarget = ({ peer_id: id }: { readonly peer_id: string }) => isSamePeer(id, machineId);
  const link = connectivity.per_peer_transport.find(isTarget);
  const scores = stages.peer_scores.filter(isTarget);
  const suppressed = stages.suppressed_peers.filter(isTarget);
  const values = scores.map(({ score }) => score);
  const byPeer = antiEntropySchema.safeParse(Reflect.get(stages, 'anti_entropy_by_peer')).data;
  const antiEntropy = Object.entries(byPeer ?? {}).find(([id]) => isSamePeer(id, machineId))?.[1];
  return {
    connected: link?.connected ?? false,
    generation: link?.generation ?? null,
    rtt_ms: link?.rtt_ms ?? null,
    score_entries: scores.length,
    suppressed_entries: suppressed.length,
    suppressed_states: countBy(suppressed.map(({ state }) => state)),
    suppressed_topics: [...new Set(suppressed.map(({ topic }) => topic))].toSorted(),
    roles: countBy(scores.map(({ role }) => role)),
    eager_eligible: scores.filter((row) => row.eager_eligible).length,
    score_min: least(values),
    score_avg: average(values),
    score_max: greatest(values),
    send_health_avg: average(scores.map(({ send_health: health }) => health)),
    send_timeouts_total: sum(scores.map((row) => row.outbound_send_timeouts)),
    cooling_events_total: sum(scores.map((row) => row.cooling_events)),
    anti_entropy_rounds_total: antiEntropy?.rounds_total ?? null,
    anti_entropy_repaired_total: antiEntropy?.repaired_total ?? null,
  };
}
