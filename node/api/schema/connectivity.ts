import * as z from 'zod';
import { counter, gauge, hex64, hostPort, milliseconds, share } from './figures.ts';

/** One live link. A figure that QUIC cannot tell is null. */
const peerTransport = z.strictObject({
  peer_id: hex64,
  transport: z.string(),
  stats_available: z.boolean(),
  connected: z.boolean(),
  generation: gauge.nullable(),
  reader_task_active: z.boolean().nullable(),
  rtt_ms: milliseconds.nullable(),
  udp_tx_bytes: counter.nullable(),
  udp_rx_bytes: counter.nullable(),
  udp_tx_datagrams: counter.nullable(),
  udp_rx_datagrams: counter.nullable(),
  congestion_window: gauge.nullable().describe('bytes'),
  congestion_events: counter.nullable(),
  lost_packets: counter.nullable(),
  lost_bytes: counter.nullable(),
  sent_packets: counter.nullable(),
  sent_plpmtud_probes: counter.nullable(),
  lost_plpmtud_probes: counter.nullable(),
  black_holes_detected: counter.nullable(),
  packet_loss_rate: share.nullable().describe('lost / sent packets; null before anything was sent'),
  current_mtu: gauge.nullable(),
  stream_open_blocked_events: counter.nullable(),
  data_blocked_events: counter.nullable(),
  stream_data_blocked_events: counter.nullable(),
  last_sent_ago_ms: milliseconds.nullable(),
  last_received_ago_ms: milliseconds.nullable(),
  idle_for_ms: milliseconds.nullable(),
  close_reason: z.string().nullable(),
});

/** What the paths look like as a whole; null where nothing was measured. */
const transportEnvironment = z.strictObject({
  degraded: z.boolean(),
  vpn_suspected: z.boolean().nullable(),
  cgnat_suspected: z.boolean().nullable(),
  constrained_mtu: z.boolean().nullable().describe('some path carries no more than 1252 bytes'),
  mtu_critical: z.boolean().nullable().describe("some path is at QUIC's floor of 1200 bytes"),
  min_observed_mtu: gauge.nullable(),
  lost_plpmtud_probes: counter.nullable(),
  black_holes_detected: counter.nullable(),
  vpn_egress_addr: z.string().nullable(),
  reasons: z.array(z.string()),
  hints: z.array(z.string()),
});

/** `/diagnostics/connectivity` without its envelope. */
export const connectivityDocumentSchema = z.strictObject({
  peer_id: hex64,
  local_addr: hostPort.nullable().describe('null while the socket is not bound'),
  external_addrs: z.array(hostPort),
  nat_type: z.string().nullable(),
  can_receive_direct: z.boolean().nullable(),
  direct_reachability_scope: z.string().nullable(),
  has_global_address: z.boolean().nullable(),
  port_mapping: z.strictObject({ active: z.boolean(), external_addr: hostPort.nullable() }),
  mdns: z.strictObject({ browsing: z.boolean(), advertising: z.boolean(), discovered_peers: gauge }),
  services: z.strictObject({
    relay_enabled: z.boolean(),
    coordinator_enabled: z.boolean(),
    bootstrap_enabled: z.boolean(),
  }),
  connections: z.strictObject({
    connected_peers: gauge,
    active: gauge,
    direct: gauge,
    relayed: gauge,
    hole_punch_success_rate: share.nullable(),
  }),
  per_peer_transport: z.array(peerTransport),
  connection_pool: z.strictObject({
    active_count: gauge,
    max_connections: gauge.nullable().describe('null: no bound of its own'),
    idle_evict_after_secs: gauge.nullable().describe('null: idle links are kept alive, not evicted'),
    idle_evictions_total: counter,
    lru_evictions_total: counter,
    establish_failures_total: counter,
  }),
  relay: z.strictObject({ is_relaying: z.boolean(), sessions: gauge, bytes_forwarded: counter }),
  coordinator: z.strictObject({ is_coordinating: z.boolean(), sessions: gauge }),
  avg_rtt_ms: milliseconds.nullable(),
  uptime_s: gauge,
  data_tx: z.strictObject({
    data_tx_depth: gauge.describe('bytes waiting in the send queues of all links'),
    data_tx_capacity: gauge.describe('bytes'),
    data_tx_high_water_count: counter.describe("times some link's free share fell to 20 % or less"),
  }),
  gso: z.strictObject({ bundle_send_total: counter, bundle_partial_send: counter }),
  transport_environment: transportEnvironment,
});
export type ConnectivityDocument = z.infer<typeof connectivityDocumentSchema>;
export type PeerTransportRow = ConnectivityDocument['per_peer_transport'][number];
