import { formatAddress } from '../api/address.ts';
import type { PathRow, TransportDocument } from '../api/schema/transport.ts';
import type { LinkProofCounts } from '../direct/link-prover.ts';
import type { LinkStats, SocketAddress, TransportStats } from '../transport/transport.ts';

/** Maps what the transport knows to `/diagnostics/transport`. What nobody measures is null, never 0. Pure. */
export function transportDocument(
  stats: TransportStats,
  proofs: LinkProofCounts,
  knownPeers: readonly SocketAddress[],
): TransportDocument {
  const links = stats.links.map(({ link }) => link);
  const dialable = new Set(
    links.flatMap(({ remote, listenAddress }) => [remote, listenAddress].map(formatAddress)),
  );
  return {
    transport: {
      active_connections: links.length,
      x0x_visible_peers: links.length,
      peer_entries: links.map(({ peerId, remote }) => ({
        peer_id: peerId,
        remote_addr: formatAddress(remote),
      })),
      paths: stats.links.map(pathRow),
      successful_connections: stats.establishedTotal,
      failed_connections: stats.dialFailuresTotal,
      nat_traversal_attempts: 0,
      nat_traversal_successes: 0,
      direct_connections: links.length,
      relayed_connections: 0,
      connected_bootstrap_nodes: knownPeers.filter((peer) => dialable.has(formatAddress(peer))).length,
      total_bootstrap_nodes: knownPeers.length,
      average_coordination_time_ms: null,
      churn: {
        connects_outbound: stats.dialsTotal,
        connects_inbound: stats.inboundTotal,
        connects_while_connected: stats.connectsWhileConnectedTotal,
        outbound_redials_of_connected: null,
        disconnects: stats.disconnectsTotal,
        generations_established: stats.establishedTotal,
        generations_replaced: stats.replacedTotal,
        generations_closed: stats.closedTotal,
        reader_exited: stats.readerExitedTotal,
        event_lag_batches: 0,
      },
      closed_by_reason: { ...stats.closedByReason },
      link_proofs: {
        sent_total: proofs.sentTotal,
        proven_total: proofs.provenTotal,
        unanswered_total: proofs.unansweredTotal,
        inconclusive_total: proofs.inconclusiveTotal,
        links_closed_total: proofs.linksClosedTotal,
      },
      quic_open_connections: stats.openConnections,
      reader_handle_count: links.length,
      peer_activity_count: links.length,
      connected_peers_map_len: links.length,
      send_unacked_bytes: null,
      recv_buffered_bytes: stats.receiveBufferedBytes,
      recv_streams_with_unread: null,
      socket_receive_buffer_bytes: stats.socketReceiveBufferBytes,
      connections_counted: stats.openConnections,
      orphan_connections_closed: null,
      refusals: {
        hello_refusals_by_reason: { ...stats.helloRefusalsByReason },
        malformed_frames_total: stats.malformedFramesTotal,
        socket_send_errors_total: stats.socketSendErrorsTotal,
        stray_datagrams_total: stats.strayDatagramsTotal,
        refused_inbound_total: stats.refusedInboundTotal,
        expired_requests_total: stats.expiredRequestsTotal,
      },
    },
  };
}

function pathRow(stats: LinkStats): PathRow {
  return {
    peer_id: stats.link.peerId,
    generation: stats.link.generation,
    rtt_ms: stats.rttMs,
    congestion_window_bytes: stats.congestionWindowBytes,
    in_flight_bytes: null,
    send_capacity_bytes: stats.sendCapacityBytes,
    queued_bytes: stats.queuedBytes,
    sent_packets: stats.sentPackets,
    lost_packets: stats.lostPackets,
    lost_bytes: stats.lostBytes,
  };
}
