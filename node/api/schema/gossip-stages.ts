import * as z from 'zod';
import { counter, figure, gauge, milliseconds, peerHex, share, unixMs } from './figures.ts';

const stage = z.strictObject({
  count: counter,
  total_ns: counter,
  max_ns: counter.describe('high-water mark'),
  over_1s_count: counter,
  over_5s_count: counter,
  over_30s_count: counter,
});

const suppressionState = z.enum(['cooldown', 'recovery_ready', 'recovery_probe']);
const role = z.enum(['eager', 'lazy', 'cooled', 'recovery_ready', 'recovery_probe', 'excluded']);

const suppressedPeer = z.strictObject({
  peer_id: peerHex,
  topic: z.string(),
  suppressed_until_unix_ms: unixMs,
  suppressed_for_ms: milliseconds,
  recent_timeout_count: gauge,
  recent_timeout_rate_per_sec: figure.min(0),
  affected_topics_count: gauge,
  cooldown_ms: milliseconds,
  last_suppressed_unix_ms: unixMs,
  state: suppressionState,
  recovery_probe_in_flight: z.boolean(),
});

const peerScore = z.strictObject({
  peer_id: peerHex,
  topic: z.string(),
  role,
  score: share,
  iwant_response_rate: share,
  recency: share,
  send_health: share,
  outbound_send_successes: figure.min(0).describe('monotonic'),
  outbound_send_timeouts: figure.min(0).describe('monotonic'),
  cooling_events: figure.min(0).describe('monotonic'),
  recovery_probes: figure.min(0).describe('monotonic'),
  recovery_successes: figure.min(0).describe('monotonic'),
  eager_eligible: z.boolean(),
});

const topicPeerScore = z.strictObject({
  role,
  score: share,
  send_health: share,
  outbound_send_timeouts: figure.min(0),
  cooling_events: figure.min(0),
  eager_eligible: z.boolean(),
  suppression_state: suppressionState.nullable().describe('null when not suppressed'),
  recent_timeout_count: gauge,
  cooldown_ms: milliseconds.nullable(),
  last_cool_at_unix_ms: unixMs.nullable(),
});

const peerAdmission = z.strictObject({
  state: z.enum(['alive', 'cooled', 'recovery_probe', 'recovery_ready']),
  suppressed_topics_count: gauge,
  cooled_topics_count: gauge,
  recovery_probe_topics_count: gauge,
  recovery_ready_topics_count: gauge,
  priority_queue_depths: z.record(z.string(), gauge),
});

const admission = z.strictObject({
  admitted_critical: counter,
  admitted_normal: counter,
  admitted_bulk: counter,
  dropped_bulk_peer_dead: counter,
  dropped_bulk_peer_suspect: counter,
  dropped_bulk_peer_cooled: counter,
  dropped_bulk_backpressure: counter,
  dropped_normal_peer_dead: counter,
  dropped_normal_peer_suspect: counter,
  dropped_critical_hard_error: counter.describe('0 on a healthy node'),
  dropped_critical_cooling: counter,
  dropped_critical_no_target: counter,
});

const peerScoreV2 = z.strictObject({
  topic_id: z.string(),
  peer_id: peerHex,
  score: figure,
  p1_time_in_mesh_secs: figure,
  p2_first_deliveries: figure,
  p3b_delivery_deficit: figure,
  p4_invalid_messages: figure,
  p7_behavioral_penalty: figure,
  graylisted: z.boolean(),
  publishable: z.boolean(),
  gossiped: z.boolean(),
});

const peerAntiEntropy = z.strictObject({
  rounds_total: counter.describe('comparisons of caches with this peer that either side opened'),
  repaired_total: counter.describe('messages whose first copy came because a digest of this peer told of it'),
  last_round_unix_ms: unixMs.nullable(),
});

const topicCache = z.strictObject({
  topic: z.string(),
  cache: z.strictObject({
    msg_count: gauge,
    total_bytes: gauge,
    oldest_age_secs: figure.min(0),
    evicted_by_age: counter,
    evicted_by_bytes: counter,
    evicted_by_count: counter,
  }),
});

/** The stages of PlumTree: frames by kind, timings, slow peers, scores, admission and caches. */
export const pubsubStagesSchema = z.strictObject({
  message_kinds: z.strictObject({
    eager: counter,
    ihave: counter,
    iwant: counter,
    anti_entropy: counter,
    other: counter,
    decode_failed: counter,
    prune: counter,
    graft: counter,
  }),
  decode: stage,
  verify: stage,
  dedupe_lock_acquire: stage.describe('there is no lock to wait for here; the shape is kept'),
  dedupe_check: stage,
  eager_fanout: stage,
  republish: stage,
  republish_per_peer_timeout: counter.describe('sends to one peer that ran into their timeout'),
  outbound_budget_exhausted: counter.describe("sends refused because the peer's in-flight budget was full"),
  zero_fanout_publishes: counter,
  zero_fanout_publishes_by_topic: z.record(z.string(), counter),
  zero_succeeded_publishes: counter,
  suppressed_peers: z.array(suppressedPeer),
  suppressed_peers_by_topic: z.record(z.string(), z.array(peerHex)),
  suppression_cleanup_interval_ms: milliseconds,
  suppression_cleanup_growth_rate_per_sec: figure,
  suppression_cleanup_entries: gauge,
  suppression_cleanup_last_removed: gauge,
  peer_scores: z.array(peerScore).describe('its length is the number of known peer-topic pairs'),
  peer_scores_by_topic: z.record(z.string(), z.record(z.string(), topicPeerScore)),
  admission_state_by_peer: z.record(z.string(), peerAdmission),
  admission,
  peer_scores_v2: z.array(peerScoreV2),
  topic_caches: z.array(topicCache),
  topic_shard_count: gauge,
  peer_scoring_lock_wait: stage,
  suppressed_peers_lock_wait: stage,
  anti_entropy_by_peer: z
    .record(z.string(), peerAntiEntropy)
    .describe('since the node started, kept across reconnects'),
});
