import * as z from 'zod';
import { base64, hex64, milliseconds } from './figures.ts';

/** How a direct message travelled. */
const RECEIPT_PATHS = ['loopback', 'gossip_inbox', 'raw_quic', 'raw_quic_acked', 'relayed'] as const;

/**
 * What `ok` promises: `handed_over` to the transport; `admitted` by the peer to its receive pipeline; `enqueued` by
 * the peer after it verified the sender; `durable` on the peer's disk.
 */
const RECEIPT_TIERS = ['handed_over', 'admitted', 'enqueued', 'durable'] as const;

/** Bounds of every acknowledgement wait a caller may ask for; a wish outside is moved to the nearer bound. */
export const ACK_WAIT_MS = { min: 100, max: 30_000, default: 8_000 } as const;
const ackWaitMs = z
  .number()
  .transform((ms) => Math.min(ACK_WAIT_MS.max, Math.max(ACK_WAIT_MS.min, Math.round(ms))));

/** `POST /direct/send`. */
export const directSendRequestSchema = z.object({
  agent_id: z.string().toLowerCase().pipe(hex64),
  payload: base64,
  prefer_raw_quic_if_connected: z.boolean().optional(),
  raw_quic_receive_ack_ms: ackWaitMs.nullish(),
  stop_fallback_on_raw_error: z.boolean().optional(),
  require_gossip: z.boolean().optional(),
  require_ack_ms: ackWaitMs.nullish(),
  require_durable_app_ack: z.boolean().optional(),
  logical_id: z.string().nullish(),
  require_gossip_ack: z.unknown().optional().describe('removed; refused when present'),
});
export type DirectSendRequest = z.infer<typeof directSendRequestSchema>;

const requireAck = z.union([
  z.strictObject({ ok: z.literal(true), rtt_ms: milliseconds }),
  z.strictObject({ ok: z.literal(false), error: z.string() }),
]);

/** The receipt. `attempts` counts every try, the first included; `receipt` names the tier. */
export const directSendBodySchema = z.strictObject({
  ok: z.literal(true),
  path: z.enum(RECEIPT_PATHS),
  retries_used: z.int().min(0),
  request_id: z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 lowercase hex characters'),
  require_ack: requireAck.nullable(),
  attempts: z.int().min(1).optional(),
  receipt: z.enum(RECEIPT_TIERS).optional(),
});
export type DirectSendBody = z.infer<typeof directSendBodySchema>;

/** Machine codes of a refused or failed send, with the HTTP status of each. The code of the error, in lower case. */
export const DIRECT_ERROR_STATUS: Readonly<Record<string, number>> = {
  invalid_logical_id: 400,
  logical_id_requires_durable_ack: 400,
  require_gossip_ack_removed: 400,
  recipient_rejected: 403,
  recipient_key_unavailable: 404,
  recipient_key_invalid: 409,
  recipient_ack_semantics_unavailable: 409,
  idempotency_conflict: 409,
  payload_too_large: 413,
  envelope_construction: 500,
  publish_failed: 500,
  relay_build_failed: 500,
  peer_likely_offline: 502,
  peer_disconnected: 502,
  receiver_backpressured: 503,
  local_gossip_unavailable: 503,
  no_connectivity: 503,
  no_relay_candidate: 503,
  timeout: 504,
};

/** `GET /direct/connections`. */
export const directConnectionsBodySchema = z.strictObject({
  ok: z.literal(true),
  connections: z.array(z.strictObject({ agent_id: hex64, machine_id: hex64 })),
});
