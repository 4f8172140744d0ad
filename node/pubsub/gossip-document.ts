import type { Clock } from '../../kit/clock.ts';
import type { GossipDocument } from '../api/schema/gossip.ts';
import type { CoreDriver } from './core-driver.ts';
import type { GossipCounters } from './gossip-counters.ts';
import type { Inbound } from './inbound.ts';
import type { OriginKeys } from './origin-keys.ts';
import type { Outbound } from './outbound.ts';
import type { PlumTree } from './plumtree.ts';
import { pumpDocuments } from './pump-document.ts';
import type { ReceivePump } from './receive-pump.ts';
import { scoreDocuments } from './score-rows.ts';
import { StageTiming } from './stage-timing.ts';
import type { Subscriptions } from './subscriptions.ts';
import { antiEntropyDocument, momentOf, suppressionDocuments } from './suppression-rows.ts';

type PubsubStages = GossipDocument['pubsub_stages'];

export interface GossipSources {
  readonly clock: Clock;
  readonly core: PlumTree;
  readonly driver: CoreDriver;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly pump: ReceivePump;
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

function stagesDocument({ core, driver, inbound, outbound, counters, clock }: GossipSources): PubsubStages {
  const moment = momentOf(clock);
  const { cleanup, counts } = core.health;
  return {
    message_kinds: { ...counters.messageKinds, decode_failed: inbound.counts.malformed },
    decode: inbound.decode.toDocument(),
    verify: inbound.verify.toDocument(),
    dedupe_lock_acquire: NO_LOCK,
    dedupe_check: inbound.dedupe.toDocument(),
    eager_fanout: driver.fanout.toDocument(),
    republish: outbound.sendTime.toDocument(),
    republish_per_peer_timeout: outbound.counts.timeouts + counts.echoTimeouts,
    outbound_budget_exhausted: outbound.counts.budgetExhausted,
    zero_fanout_publishes: counters.zeroFanout,
    zero_fanout_publishes_by_topic: Object.fromEntries(counters.zeroFanoutByTopic.entries()),
    zero_succeeded_publishes: counters.zeroSucceeded,
    suppression_cleanup_interval_ms: cleanup.intervalMs,
    suppression_cleanup_growth_rate_per_sec: cleanup.growthPerSec,
    suppression_cleanup_last_removed: cleanup.lastRemoved,
    ...suppressionDocuments(core, outbound, moment),
    ...scoreDocuments(core, moment),
    admission: admissionDocument(core, outbound),
    peer_scores_v2: [],
    topic_caches: cacheRows(core, moment.nowMs),
    topic_shard_count: 1,
    peer_scoring_lock_wait: NO_LOCK,
    suppressed_peers_lock_wait: NO_LOCK,
    anti_entropy_by_peer: antiEntropyDocument(core, moment),
  };
}

/** A link that the transport lists is connected, so a normal message is never refused for a mere suspicion. */
function admissionDocument(core: PlumTree, { admission }: Outbound): PubsubStages['admission'] {
  const { withheld } = core.health;
  return {
    admitted_critical: admission.admitted.critical,
    admitted_normal: admission.admitted.normal,
    admitted_bulk: admission.admitted.bulk,
    dropped_bulk_peer_dead: admission.disconnected.bulk,
    dropped_bulk_peer_suspect: admission.bulkSuspect,
    dropped_bulk_peer_cooled: withheld.bulk,
    dropped_bulk_backpressure: admission.bulkFull,
    dropped_normal_peer_dead: admission.disconnected.normal,
    dropped_normal_peer_suspect: 0,
    dropped_critical_hard_error: admission.criticalHardError,
    dropped_critical_cooling: withheld.critical + admission.criticalFull,
    dropped_critical_no_target: admission.disconnected.critical,
  };
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
