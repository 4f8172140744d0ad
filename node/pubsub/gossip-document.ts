import type { Clock } from '../../kit/clock.ts';
import type { GossipDocument } from '../api/schema/gossip.ts';
import type { CoreDriver } from './core-driver.ts';
import type { GossipCounters } from './gossip-counters.ts';
import type { Inbound } from './inbound.ts';
import type { OriginKeys } from './origin-keys.ts';
import type { Outbound } from './outbound.ts';
import { type PeerTallies, scoreOf } from './peer-tally.ts';
import type { PlumTree } from './plumtree.ts';
import { pumpDocuments } from './pump-document.ts';
import type { ReceivePump } from './receive-pump.ts';
import { StageTiming } from './stage-timing.ts';
import type { Subscriptions } from './subscriptions.ts';

type PubsubStages = GossipDocument['pubsub_stages'];

export interface GossipSources {
  readonly clock: Clock;
  readonly core: PlumTree;
  readonly driver: CoreDriver;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly pump: ReceivePump;
  readonly tallies: PeerTallies;
  readonly subscriptions: Subscriptions;
  readonly counters: GossipCounters;
  readonly keys: OriginKeys;
  readonly startedMs: number;
}

const NO_LOCK = new StageTiming().toDocument(); // one thread: nothing is ever locked

/** The body of `/diagnostics/gossip`, built in one go from the state of now, in time proportional to it. */
export function gossipDocument(sources: GossipSources): GossipDocument {
  const { inbound, subscriptions, counters, keys, clock, startedMs, pump } = sources;
  const { due, delivered, closed } = subscriptions.counts;
  return {
    stats: {
      publish_total: counters.publishTotal,
      publish_failed: counters.publishFailed,
      incoming_total: inbound.counts.messages,
      incoming_decoded: counters.incomingWanted,
      incoming_decode_failed: inbound.counts.malformed + inbound.counts.forged,
      delivered_to_subscriber: delivered,
      slow_subscriber_dropped: counters.slowSubscriberDrops,
      subscriber_channel_closed: closed,
      in_flight_decode: inbound.pending.size,
      decode_to_delivery_drops: Math.max(0, due - delivered - closed),
    },
    ...pumpDocuments(pump, (clock.nowMs() - startedMs) / 1_000),
    pubsub_stages: stagesDocument(sources),
    // Agents learnt from messages; machines and users are not discovered by gossip.
    discovery_cache_entries: { agents: keys.learnt, machines: 0, users: 0 },
  };
}

function stagesDocument({
  core,
  driver,
  inbound,
  outbound,
  tallies,
  counters,
  clock,
}: GossipSources): PubsubStages {
  const nowMs = clock.nowMs();
  const scores = scoreRows(core, tallies, nowMs);
  return {
    message_kinds: { ...counters.messageKinds, decode_failed: inbound.counts.malformed },
    decode: inbound.decode.toDocument(),
    verify: inbound.verify.toDocument(),
    dedupe_lock_acquire: NO_LOCK,
    dedupe_check: inbound.dedupe.toDocument(),
    eager_fanout: driver.fanout.toDocument(),
    republish: outbound.sendTime.toDocument(),
    republish_per_peer_timeout: outbound.counts.timeouts,
    outbound_budget_exhausted: outbound.counts.budgetExhausted,
    zero_fanout_publishes: counters.zeroFanout,
    zero_fanout_publishes_by_topic: Object.fromEntries(counters.zeroFanoutByTopic.entries()),
    zero_succeeded_publishes: counters.zeroSucceeded,
    suppressed_peers: [],
    suppressed_peers_by_topic: {},
    suppression_cleanup_interval_ms: 0,
    suppression_cleanup_growth_rate_per_sec: 0,
    suppression_cleanup_entries: 0,
    suppression_cleanup_last_removed: 0,
    peer_scores: scores,
    peer_scores_by_topic: byTopic(scores),
    admission_state_by_peer: admissionByPeer(core, outbound),
    admission: { ...NO_ADMISSION_DROPS, admitted_normal: outbound.counts.admitted },
    peer_scores_v2: [],
    topic_caches: cacheRows(core, nowMs),
    topic_shard_count: 1,
    peer_scoring_lock_wait: NO_LOCK,
    suppressed_peers_lock_wait: NO_LOCK,
  };
}

/** Every topic is of normal priority and no peer is refused for its health, so these have nothing to count. */
const NO_ADMISSION_DROPS = {
  admitted_critical: 0,
  admitted_bulk: 0,
  dropped_bulk_peer_dead: 0,
  dropped_bulk_peer_suspect: 0,
  dropped_bulk_peer_cooled: 0,
  dropped_bulk_backpressure: 0,
  dropped_normal_peer_dead: 0,
  dropped_normal_peer_suspect: 0,
  dropped_critical_hard_error: 0,
  dropped_critical_cooling: 0,
  dropped_critical_no_target: 0,
} as const;

function scoreRows(core: PlumTree, tallies: PeerTallies, nowMs: number): PubsubStages['peer_scores'] {
  const rows: PubsubStages['peer_scores'] = [];
  for (const [topic, links] of core.topics.entries()) {
    for (const [peer, { role }] of links.roles()) {
      const tally = tallies.of(peer, topic);
      const { score, iwantResponseRate, recency, sendHealth } = scoreOf(tally, core.askTally(peer), nowMs);
      rows.push({
        peer_id: peer,
        topic,
        role,
        score,
        iwant_response_rate: iwantResponseRate,
        recency,
        send_health: sendHealth,
        outbound_send_successes: tally.sendSuccesses,
        outbound_send_timeouts: tally.sendTimeouts,
        cooling_events: 0,
        recovery_probes: 0,
        recovery_successes: 0,
        eager_eligible: true,
      });
    }
  }
  return rows;
}

function byTopic(rows: PubsubStages['peer_scores']): PubsubStages['peer_scores_by_topic'] {
  const topics = new Map<string, PubsubStages['peer_scores_by_topic'][string]>();
  for (const row of rows) {
    const peers = topics.get(row.topic) ?? {};
    topics.set(row.topic, peers);
    peers[row.peer_id] = {
      role: row.role,
      score: row.score,
      send_health: row.send_health,
      outbound_send_timeouts: row.outbound_send_timeouts,
      cooling_events: row.cooling_events,
      eager_eligible: row.eager_eligible,
      suppression_state: null,
      recent_timeout_count: 0,
      cooldown_ms: null,
      last_cool_at_unix_ms: null,
    };
  }
  return Object.fromEntries(topics);
}

function admissionByPeer(core: PlumTree, outbound: Outbound): PubsubStages['admission_state_by_peer'] {
  return Object.fromEntries(
    [...core.topics.peers].map((peer) => [
      peer,
      {
        state: 'alive' as const,
        suppressed_topics_count: 0,
        cooled_topics_count: 0,
        recovery_probe_topics_count: 0,
        recovery_ready_topics_count: 0,
        priority_queue_depths: { normal: outbound.pendingFrames(peer) },
      },
    ]),
  );
}

function cacheRows(core: PlumTree, nowMs: number): PubsubStages['topic_caches'] {
  return [...core.cache.topics()].map(([topic, cache]) => {
    const oldest = cache.entries.values().next().value;
    return {
      topic,
      cache: {
        msg_count: cache.entries.size,
        total_bytes: cache.totalBytes,
        oldest_age_secs: oldest ? Math.max(0, nowMs - oldest.bornAtMs) / 1_000 : 0,
        evicted_by_age: cache.evictedByAge,
        evicted_by_bytes: cache.evictedByBytes,
        evicted_by_count: cache.evictedByCount,
      },
    };
  });
}
