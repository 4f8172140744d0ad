import * as z from 'zod';
import { counter, gauge, hex64, hostPort, milliseconds } from './figures.ts';

const churn = z.strictObject({
  connects_outbound: counter,
  connects_inbound: counter,
  connects_while_connected: counter,
  outbound_redials_of_connected: counter.nullable(),
  disconnects: counter,
  generations_established: counter,
  generations_replaced: counter,
  generations_closed: counter,
  reader_exited: counter,
  event_lag_batches: counter,
});

/** What the transport refused or lost, beside what the nearest system reports. */
const refusals = z.strictObject({
  hello_refusals_by_reason: z.record(z.string(), counter),
  malformed_frames_total: counter,
  socket_send_errors_total: counter.describe('datagrams the socket did not take: lost, not fatal'),
  stray_datagrams_total: counter.describe('datagrams that belong to no connection and begin none'),
  refused_inbound_total: counter.describe(
    'handshakes not begun, since too many strangers had not finished theirs',
  ),
  expired_requests_total: counter.describe('requests of peers whose rest did not come in time'),
});

/** Regular proofs that links carry messages of more than 1 KiB both ways; the opener of a link asks. */
const linkProofs = z.strictObject({
  sent_total: counter,
  proven_total: counter,
  unanswered_total: counter,
  inconclusive_total: counter.describe('the link went away, or our own queue to it was full'),
  links_closed_total: counter.describe('closed because three in a row stayed unanswered although QUIC lived'),
});

/** The path of one live link and our queue to it, now. QUIC's words: its round trips are whole ms, 0 on loopback. */
const path = z.strictObject({
  peer_id: hex64,
  generation: gauge,
  rtt_ms: gauge.nullable().describe('smoothed'),
  congestion_window_bytes: gauge.nullable(),
  in_flight_bytes: gauge.nullable().describe('null: the QUIC binding does not tell'),
  send_capacity_bytes: gauge
    .nullable()
    .describe('what QUIC takes now: the room in the congestion window and in what the peer allows'),
  queued_bytes: gauge.describe('waiting here, since QUIC does not take it'),
  sent_packets: counter,
  lost_packets: counter,
  lost_bytes: counter,
});

/**
 * `/diagnostics/transport` without its envelope. After the mesh has settled, `quic_open_connections`,
 * `active_connections` and `reader_handle_count` are equal, or something leaks.
 */
export const transportDocumentSchema = z.strictObject({
  transport: z.strictObject({
    active_connections: gauge,
    x0x_visible_peers: gauge.describe('peers that the rooms above the transport can reach'),
    peer_entries: z.array(z.strictObject({ peer_id: hex64, remote_addr: hostPort })),
    paths: z.array(path).describe('one per live link'),
    successful_connections: counter,
    failed_connections: counter,
    nat_traversal_attempts: counter,
    nat_traversal_successes: counter,
    direct_connections: gauge,
    relayed_connections: gauge,
    connected_bootstrap_nodes: gauge.nullable(),
    total_bootstrap_nodes: gauge.nullable(),
    average_coordination_time_ms: milliseconds.nullable(),
    churn,
    closed_by_reason: z.record(z.string(), counter).describe('links that ended, by the name in their close'),
    link_proofs: linkProofs,
    quic_open_connections: gauge,
    reader_handle_count: gauge,
    peer_activity_count: gauge,
    connected_peers_map_len: gauge,
    send_unacked_bytes: gauge.nullable(),
    recv_buffered_bytes: gauge,
    recv_streams_with_unread: gauge.nullable(),
    socket_receive_buffer_bytes: gauge
      .nullable()
      .describe(
        'given by the kernel, as it says itself (Linux: twice what may be used); a burst beyond it is lost',
      ),
    connections_counted: gauge,
    orphan_connections_closed: counter.nullable(),
    refusals,
  }),
});
export type TransportDocument = z.infer<typeof transportDocumentSchema>;
export type PathRow = TransportDocument['transport']['paths'][number];
