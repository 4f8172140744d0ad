/**
 * The figures of the diagnostics documents that a gate may name, so that a misspelt metric is an error before the run
 * and not an absent figure after it. Counters grow for as long as the process lives; gauges say how things stand.
 * Keys are path prefixes, values the figures below them.
 */
const STREAMS = ['pubsub', 'membership', 'bulk'];
const PUMPS = [...STREAMS, 'direct'];
const STAGES = ['decode', 'verify', 'dedupe_lock_acquire', 'dedupe_check', 'eager_fanout', 'republish'];
const STAGE_COUNTERS = 'count total_ns over_1s_count over_5s_count over_30s_count';

const COUNTERS: Readonly<Record<string, string>> = {
  'gossip.stats':
    'publish_total publish_failed incoming_total incoming_decoded incoming_decode_failed delivered_to_subscriber slow_subscriber_dropped subscriber_channel_closed',
  ...below('gossip.dispatcher', STREAMS, {
    own: 'received completed timed_out total_elapsed_ns over_1s_count over_5s_count over_30s_count',
  }),
  ...below('gossip.recv_pump', PUMPS, {
    own: 'produced_total enqueued_total dequeued_total dropped_full shed_priority dropped_closed',
  }),
  'gossip.pubsub_stages':
    'republish_per_peer_timeout outbound_budget_exhausted zero_fanout_publishes zero_succeeded_publishes',
  'gossip.pubsub_stages.message_kinds': 'eager ihave iwant anti_entropy other decode_failed prune graft',
  ...below('gossip.pubsub_stages', STAGES, { own: STAGE_COUNTERS }),
  'gossip.pubsub_stages.admission':
    'admitted_critical admitted_normal admitted_bulk dropped_bulk_peer_dead dropped_bulk_peer_suspect dropped_bulk_peer_cooled dropped_bulk_backpressure dropped_normal_peer_dead dropped_normal_peer_suspect dropped_critical_hard_error dropped_critical_cooling dropped_critical_no_target',
  'gossip.pubsub_stages.topic_caches[].cache': 'evicted_by_age evicted_by_bytes evicted_by_count',
  'connectivity.connection_pool': 'idle_evictions_total lru_evictions_total establish_failures_total',
  'connectivity.data_tx': 'data_tx_high_water_count',
  'connectivity.gso': 'bundle_send_total bundle_partial_send',
  'transport.transport':
    'successful_connections failed_connections nat_traversal_attempts nat_traversal_successes orphan_connections_closed',
  'transport.transport.churn':
    'connects_outbound connects_inbound connects_while_connected outbound_redials_of_connected disconnects generations_established generations_replaced generations_closed reader_exited event_lag_batches',
  'transport.transport.refusals':
    'malformed_frames_total socket_send_errors_total stray_datagrams_total refused_inbound_total expired_requests_total',
  'connectivity.relay': 'bytes_forwarded',
  runtime: 'unhandled_errors_total cpu_user_ms cpu_system_ms',
  'runtime.crypto_pool': 'signs_total verifies_total',
  'runtime.api':
    'sse_events_evicted_total requests_total unauthorized_total rejected_total malformed_http_total timed_out_total',
  'dm.stats':
    'outgoing_send_total outgoing_send_succeeded outgoing_send_failed outgoing_path_loopback outgoing_path_raw_quic outgoing_path_gossip_inbox outgoing_path_relayed incoming_envelopes_total incoming_decode_failed incoming_signature_failed incoming_trust_rejected incoming_dropped_revoked incoming_dropped_expired incoming_typed_route_dropped ack_publish_route_failed incoming_delivered_to_subscribe subscriber_events_evicted subscriber_channel_lagged subscriber_channel_closed',
};

const GAUGES: Readonly<Record<string, string>> = {
  'gossip.stats': 'in_flight_decode decode_to_delivery_drops',
  'gossip.dispatcher': 'pubsub_workers membership_workers',
  ...below('gossip.dispatcher', STREAMS, { own: 'max_elapsed_ms' }),
  ...below('gossip.dispatcher.recv_depth', STREAMS, { own: 'latest max capacity' }),
  ...below('gossip.recv_pump', PUMPS, {
    own: 'latest_depth max_depth capacity max_dwell_ms avg_dwell_ms producer_per_sec consumer_per_sec',
  }),
  'gossip.pubsub_stages.suppressed_peers': 'length',
  'gossip.pubsub_stages.peer_scores': 'length',
  'gossip.pubsub_stages.topic_caches': 'length',
  'gossip.pubsub_stages.topic_caches[].cache': 'msg_count total_bytes',
  ...below('gossip.pubsub_stages', STAGES, { own: 'max_ns' }),
  'connectivity.connections': 'connected_peers active direct relayed hole_punch_success_rate',
  'connectivity.connection_pool': 'active_count',
  connectivity: 'avg_rtt_ms',
  'connectivity.data_tx': 'data_tx_depth data_tx_capacity',
  'transport.transport':
    'active_connections x0x_visible_peers direct_connections relayed_connections connected_bootstrap_nodes quic_open_connections reader_handle_count peer_activity_count connected_peers_map_len send_unacked_bytes recv_buffered_bytes recv_streams_with_unread connections_counted',
  dm: 'subscriber_count subscriber_capacity capability_store_entries',
  runtime:
    'event_loop_utilization heap_used_bytes external_bytes array_buffers_bytes rss_bytes open_fds timers_active',
  'runtime.event_loop_delay_ms': 'p50 p99 max',
  'runtime.crypto_pool': 'workers queue_depth sign_ms_p50 sign_ms_p99 verify_ms_p50 verify_ms_p99',
  'runtime.api': 'sse_clients sse_queued_bytes sse_budget_bytes',
  health: 'peers send_ready_peers',
};

function below(
  prefix: string,
  branches: readonly string[],
  { own }: { own: string },
): Record<string, string> {
  return Object.fromEntries(branches.map((branch) => [`${prefix}.${branch}`, own]));
}

function flatten(table: Readonly<Record<string, string>>): Set<string> {
  return new Set(
    Object.entries(table).flatMap(([prefix, figures]) =>
      figures.split(' ').map((figure) => `${prefix}.${figure}`),
    ),
  );
}

const counters = flatten(COUNTERS);
const gauges = flatten(GAUGES);

/** Whether `path` is a known counter, a known gauge, or neither. */
export function figureKind(path: string): 'counter' | 'gauge' | 'unknown' {
  if (counters.has(path)) return 'counter';
  return gauges.has(path) ? 'gauge' : 'unknown';
}
