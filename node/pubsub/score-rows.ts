import type { GossipDocument } from '../api/schema/gossip.ts';
import type { PeerId } from '../transport/transport.ts';
import type { Suppression } from './cooling.ts';
import type { PlumTree } from './plumtree.ts';
import { ELIGIBLE_SCORE } from './score.ts';
import type { Moment } from './suppression-rows.ts';
import type { LinkRole } from './tree-links.ts';

type PubsubStages = GossipDocument['pubsub_stages'];

type Row = PubsubStages['peer_scores'][number];

/** `peer_scores` and its view by topic: one row for every link and topic, whatever the link's state. */
export function scoreDocuments(
  core: PlumTree,
  { nowMs, unixMs }: Moment,
): Pick<PubsubStages, 'peer_scores' | 'peer_scores_by_topic'> {
  const rows: PubsubStages['peer_scores'] = [];
  const byTopic = new Map<string, PubsubStages['peer_scores_by_topic'][string]>();
  for (const [topic, links] of core.topics.entries()) {
    const peers: PubsubStages['peer_scores_by_topic'][string] = {};
    byTopic.set(topic, peers);
    for (const peer of links.peers()) {
      const suppression = core.cooling.suppression(peer, topic, nowMs);
      const row = scoreRow(core, { peer, topic, role: roleOf(links.role(peer), suppression) }, nowMs);
      rows.push(row);
      peers[peer] = {
        role: row.role,
        score: row.score,
        send_health: row.send_health,
        outbound_send_timeouts: row.outbound_send_timeouts,
        cooling_events: row.cooling_events,
        eager_eligible: row.eager_eligible,
        suppression_state: suppression?.state ?? null,
        recent_timeout_count: core.cooling.recentTimeouts(peer, topic, nowMs),
        cooldown_ms: suppression?.cooldownMs ?? null,
        last_cool_at_unix_ms: suppression ? unixMs(suppression.cooledAtMs) : null,
      };
    }
  }
  return { peer_scores: rows, peer_scores_by_topic: Object.fromEntries(byTopic) };
}

function scoreRow(
  core: PlumTree,
  { peer, topic, role }: { readonly peer: PeerId; readonly topic: string; readonly role: Row['role'] },
  nowMs: number,
): Row {
  const tally = core.health.tallies.of(peer, topic);
  const { score, iwantResponseRate, recency, sendHealth } = core.score(peer, topic, nowMs);
  return {
    peer_id: peer,
    topic,
    role,
    score,
    iwant_response_rate: iwantResponseRate,
    recency,
    send_health: sendHealth,
    outbound_send_successes: tally.sendSuccesses,
    outbound_send_timeouts: tally.sendTimeouts,
    cooling_events: tally.coolingEvents,
    recovery_probes: tally.recoveryProbes,
    recovery_successes: tally.recoverySuccesses,
    eager_eligible: score >= ELIGIBLE_SCORE && (role === 'eager' || role === 'lazy'),
  };
}

function roleOf(role: LinkRole, suppression: Suppression | undefined): Row['role'] {
  if (!suppression) return role;
  return suppression.state === 'cooldown' ? 'cooled' : suppression.state;
}
