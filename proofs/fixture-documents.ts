import type { DocumentName } from './evidence.ts';

/** Where a fixture document stands in the run. `step` counts the readings of a node, so that counters can grow. */
export interface FixturePlace {
  readonly node: string;
  readonly peers: readonly string[];
  readonly window: number;
  readonly scenario: string;
  readonly phase: 'pre' | 'post';
  readonly step: number;
  readonly bootId: string;
  readonly uptimeSecs: number;
}

/** The 64 hex digits by which a fixture knows `name`. */
export function fixtureId(name: string): string {
  return Buffer.from(name.padEnd(32, '.')).toString('hex').slice(0, 64);
}

const TOPIC = '9c1f2a77';

function stream(produced: number, capacity: number) {
  return {
    produced_total: produced,
    enqueued_total: produced,
    dequeued_total: produced,
    dropped_full: 0,
    shed_priority: 0,
    dropped_closed: 0,
    latest_depth: 0,
    max_depth: 3,
    capacity,
    max_dwell_ms: 4,
    avg_dwell_ms: 0.5,
    producer_per_sec: 2,
    consumer_per_sec: 2,
  };
}

function handlers(completed: number) {
  return {
    received: completed,
    completed,
    timed_out: 0,
    max_elapsed_ms: 6,
    total_elapsed_ns: completed * 1_000,
    over_1s_count: 0,
    over_5s_count: 0,
    over_30s_count: 0,
  };
}

function gossip({ peers, step }: FixturePlace) {
  const handled = 1_000 + 400 * step;
  const caches = [
    {
      topic: TOPIC,
      cache: {
        msg_count: 20,
        total_bytes: 81_920,
        oldest_age_secs: 9,
        evicted_by_age: step,
        evicted_by_bytes: 0,
        evicted_by_count: 0,
      },
    },
  ];
  return {
    stats: {
      publish_total: 200 * step,
      publish_failed: 0,
      incoming_total: handled,
      incoming_decoded: handled,
      incoming_decode_failed: 0,
      delivered_to_subscriber: handled,
      slow_subscriber_dropped: 0,
      subscriber_channel_closed: 0,
      in_flight_decode: 0,
      decode_to_delivery_drops: 0,
    },
    dispatcher: {
      pubsub: handlers(handled),
      membership: handlers(step),
      bulk: handlers(0),
      pubsub_workers: 4,
      membership_workers: 4,
    },
    recv_pump: {
      uptime_secs: 60 + step,
      pubsub: stream(handled, 10_000),
      membership: stream(step, 4_000),
      bulk: stream(0, 4_000),
      per_peer: {},
    },
    pubsub_stages: {
      message_kinds: {
        eager: handled,
        ihave: step,
        iwant: 0,
        anti_entropy: step,
        other: 0,
        decode_failed: 0,
        prune: 0,
        graft: 0,
      },
      republish_per_peer_timeout: 2 * step,
      outbound_budget_exhausted: 0,
      zero_fanout_publishes: 0,
      zero_succeeded_publishes: 0,
      suppressed_peers: [],
      suppressed_peers_by_topic: {},
      peer_scores: peers.map((peer) => ({
        peer_id: fixtureId(peer),
        topic: TOPIC,
        role: 'eager',
        score: 1,
        eager_eligible: true,
      })),
      peer_scores_by_topic: {
        [TOPIC]: Object.fromEntries(peers.map((peer) => [fixtureId(peer), { role: 'eager', score: 1 }])),
      },
      admission: {
        admitted_critical: handled,
        admitted_normal: 0,
        admitted_bulk: 0,
        dropped_critical_hard_error: 0,
      },
      topic_caches: caches,
      topic_shard_count: 32,
    },
    discovery_cache_entries: { agents: peers.length, machines: peers.length, users: 0 },
  };
}

function connectivity({ node, peers, uptimeSecs }: FixturePlace) {
  return {
    peer_id: fixtureId(node),
    connections: { connected_peers: peers.length, active: peers.length, direct: peers.length, relayed: 0 },
    per_peer_transport: peers.map((peer, at) => ({
      peer_id: fixtureId(peer),
      connected: true,
      rtt_ms: 2 + at,
      packet_loss_rate: 0.000_25,
      idle_for_ms: 120,
    })),
    uptime_s: uptimeSecs,
    data_tx: { data_tx_depth: 0, data_tx_capacity: 50_000, data_tx_high_water_count: 0 },
    gso: { bundle_send_total: 0, bundle_partial_send: 0 },
  };
}

function rest(
  name: Exclude<DocumentName, 'gossip' | 'connectivity'>,
  { peers, uptimeSecs }: FixturePlace,
): object {
  switch (name) {
    case 'ack':
      return { ack: { generated_at_unix_ms: 0, retention_minutes: 15, peers: [] } };
    case 'dm':
      return {
        stats: { outgoing_send_total: 0, outgoing_send_failed: 0 },
        per_peer: {},
        subscriber_count: 1,
      };
    case 'transport':
      return {
        transport: {
          active_connections: peers.length,
          quic_open_connections: peers.length,
          churn: { reader_exited: 0 },
        },
      };
    case 'runtime':
      return {
        unhandled_errors_total: 0,
        rss_bytes: 90_000_000,
        event_loop_delay_ms: { p50: 1, p99: 4, max: 9 },
      };
    case 'health':
      return { status: 'healthy', version: '0.1.0', peers: peers.length, uptime_secs: uptimeSecs };
  }
}

/** A diagnostics document as a healthy node would answer it. */
export function healthyDocument(name: DocumentName, place: FixturePlace): Record<string, unknown> {
  const envelope = { ok: true, boot_id: place.bootId, uptime_secs: place.uptimeSecs };
  if (name === 'gossip') return { ...envelope, ...gossip(place) };
  if (name === 'connectivity') return { ...envelope, ...connectivity(place) };
  return { ...envelope, ...rest(name, place) };
}
