import * as z from 'zod';
import { counter, gauge, milliseconds } from './figures.ts';

/** send_total = succeeded + failed + in flight; the path counters add up to succeeded. */
const stats = z.strictObject({
  outgoing_send_total: counter,
  outgoing_send_succeeded: counter,
  outgoing_send_failed: counter,
  outgoing_path_loopback: counter,
  outgoing_path_raw_quic: counter.describe('acknowledged or not'),
  outgoing_path_gossip_inbox: counter,
  outgoing_path_relayed: counter,
  incoming_envelopes_total: counter,
  incoming_decode_failed: counter,
  incoming_signature_failed: counter,
  incoming_trust_rejected: counter,
  incoming_dropped_revoked: counter,
  incoming_dropped_expired: counter,
  incoming_typed_route_dropped: counter,
  ack_publish_route_failed: counter,
  incoming_delivered_to_subscribe: counter.describe('one per message handed to the subscribers'),
  subscriber_events_evicted: counter.describe('events that made room in the queue of a slow subscriber'),
  subscriber_channel_lagged: counter.describe('the same figure under its older name'),
  subscriber_channel_closed: counter,
});

const peer = z.strictObject({
  avg_rtt_ms: milliseconds.nullable(),
  last_send_ms_ago: milliseconds.nullable(),
  last_recv_ms_ago: milliseconds.nullable(),
  send_succeeded: counter,
  send_failed: counter,
  recv_count: counter,
  preferred_path: z.string().nullable(),
  observed_origin: z.string().optional(),
});

const lastDurableSend = z.strictObject({
  strict_gate_ms: milliseconds,
  publish_ms: milliseconds,
  ack_wait_ms: milliseconds,
  elapsed_ms: milliseconds,
  budget_stage: z.string(),
});

/** `/diagnostics/dm` without its envelope. `per_peer` is keyed by agent id and kept 24 h after its last use. */
export const dmDocumentSchema = z.strictObject({
  stats,
  per_peer: z.record(z.string(), peer),
  subscriber_count: gauge,
  subscriber_capacity: gauge,
  capability_store_entries: gauge,
  last_durable_send: lastDurableSend.optional(),
  last_ack_publish_ms: milliseconds.optional(),
});
export type DmDocument = z.infer<typeof dmDocumentSchema>;
