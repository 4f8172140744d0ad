import { formatAddress } from '../api/address.ts';
import type { ConnectivityDocument, PeerTransportRow } from '../api/schema/connectivity.ts';
import { isLoopback } from '../transport/addresses.ts';
import type { LinkStats, PeerId, TransportStats } from '../transport/transport.ts';
import { transportEnvironment } from './transport-environment.ts';

/** Maps what the transport knows to `/diagnostics/connectivity`. What nobody measures is null, never 0. Pure. */
export function connectivityDocument(
  stats: TransportStats,
  self: { readonly peerId: PeerId; readonly uptimeSecs: number },
): ConnectivityDocument {
  const { boundAddress, links } = stats;
  return {
    peer_id: self.peerId,
    local_addr: boundAddress ? formatAddress(boundAddress) : null,
    external_addrs: [],
    nat_type: null,
    can_receive_direct: null,
    direct_reachability_scope: null,
    has_global_address: boundAddress && isLoopback(boundAddress.host) ? false : null,
    port_mapping: { active: false, external_addr: null },
    mdns: { browsing: false, advertising: false, discovered_peers: 0 },
    services: { relay_enabled: false, coordinator_enabled: false, bootstrap_enabled: false },
    connections: {
      connected_peers: links.length,
      active: stats.openConnections,
      direct: links.length,
      relayed: 0,
      hole_punch_success_rate: null,
    },
    per_peer_transport: links.map(peerTransportRow),
    connection_pool: {
      active_count: stats.openConnections,
      max_connections: null,
      idle_evict_after_secs: null,
      idle_evictions_total: 0,
      lru_evictions_total: 0,
      establish_failures_total: stats.dialFailuresTotal,
    },
    relay: { is_relaying: false, sessions: 0, bytes_forwarded: 0 },
    coordinator: { is_coordinating: false, sessions: 0 },
    avg_rtt_ms: mean(links.flatMap(({ rttMs }) => rttMs ?? [])),
    uptime_s: Math.floor(self.uptimeSecs),
    data_tx: {
      data_tx_depth: stats.sendQueueBytes,
      data_tx_capacity: stats.sendQueueCapacityBytes,
      data_tx_high_water_count: stats.sendQueueHighWaterTotal,
    },
    gso: { bundle_send_total: 0, bundle_partial_send: 0 }, // datagrams are sent one by one: there are no bundles
    transport_environment: transportEnvironment(links.map(({ mtuBytes }) => mtuBytes)),
  };
}

function peerTransportRow(stats: LinkStats): PeerTransportRow {
  const { link, lastSentAgoMs, lastReceivedAgoMs } = stats;
  const silences = [lastSentAgoMs, lastReceivedAgoMs].flatMap((agoMs) => agoMs ?? []);
  return {
    peer_id: link.peerId,
    transport: 'quic',
    stats_available: true,
    connected: true,
    generation: link.generation,
    reader_task_active: true,
    rtt_ms: stats.rttMs,
    udp_tx_bytes: stats.sentBytes,
    udp_rx_bytes: stats.receivedBytes,
    udp_tx_datagrams: stats.sentDatagrams,
    udp_rx_datagrams: stats.receivedDatagrams,
    congestion_window: stats.congestionWindowBytes,
    congestion_events: null,
    lost_packets: stats.lostPackets,
    lost_bytes: stats.lostBytes,
    sent_packets: stats.sentPackets,
    sent_plpmtud_probes: null,
    lost_plpmtud_probes: null,
    black_holes_detected: null,
    packet_loss_rate: stats.sentPackets > 0 ? Math.min(1, stats.lostPackets / stats.sentPackets) : null,
    current_mtu: stats.mtuBytes,
    stream_open_blocked_events: null,
    data_blocked_events: null,
    stream_data_blocked_events: null,
    last_sent_ago_ms: lastSentAgoMs,
    last_received_ago_ms: lastReceivedAgoMs,
    idle_for_ms: silences.length > 0 ? Math.min(...silences) : null,
    close_reason: null,
  };
}

function mean(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}
