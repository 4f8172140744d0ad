import { MAX_PAYLOAD_BYTES } from './ack-protocol.ts';
import { DirectSendError } from './send-error.ts';

/** What a caller of `/direct/send` may ask for, as parsed. */
export interface DirectSendOptions {
  /** Budget of the whole call; nothing in it takes longer. */
  readonly deadlineMs: number;
  /** Wait for the peer's acknowledgement, retry included; held to 100 ms – 30 s and to the budget. */
  readonly ackMs: number;
  /** A preference: the acknowledged connection is the only path to others there is, and the receipt names it. */
  readonly preferRawQuic: boolean;
  /** There is no other path to fall back to, so that an error of this one always ends the send. */
  readonly stopFallbackOnRawError: boolean;
  /** After the acknowledgement, probe the peer for so long; the receipt tells what came of it. */
  readonly requireAckMs?: number;
  readonly requireGossip?: boolean;
  readonly requireDurableAppAck?: boolean;
  readonly logicalId?: string;
}

export type ProbeResult =
  | { readonly ok: true; readonly rttMs: number }
  | { readonly ok: false; readonly error: string };

/** Proof that a message was admitted, and how it got there. */
export interface DirectReceipt {
  readonly path: 'loopback' | 'raw_quic_acked';
  /** Transmissions, the first included. */
  readonly attempts: number;
  readonly retriesUsed: number;
  /** 32 lowercase hex characters, the same on every transmission. */
  readonly requestId: string;
  /** `admitted`: the receiving node has it in the queue to its subscribers. */
  readonly tier: 'admitted';
  /** From the call to the acknowledgement. */
  readonly latencyMs: number;
  readonly requireAck: ProbeResult | null;
}

/** Refuses what cannot be promised, instead of doing less in silence. Throws `DirectSendError`. */
export function refuseUnsupported({
  requireDurableAppAck,
  requireGossip,
  logicalId,
}: DirectSendOptions): void {
  if (requireDurableAppAck) {
    throw new DirectSendError(
      'recipient_ack_semantics_unavailable',
      'the durable tier is not available; omit require_durable_app_ack for a receipt of admission',
      { details: { require_durable_app_ack: true } },
    );
  }
  if (requireGossip) {
    throw new DirectSendError(
      'recipient_ack_semantics_unavailable',
      'the gossip inbox is not available; omit require_gossip to send on the live connection',
      { details: { require_gossip: true } },
    );
  }
  if (logicalId !== undefined) {
    throw new DirectSendError(
      'logical_id_requires_durable_ack',
      'logical_id belongs to the durable tier; omit it, the receipt carries the request id',
      { details: { logical_id: logicalId } },
    );
  }
}

/** Throws `DirectSendError` for a payload of more than 16 MiB. */
export function refuseOversized(payload: Uint8Array): void {
  if (payload.length <= MAX_PAYLOAD_BYTES) return;
  throw new DirectSendError(
    'payload_too_large',
    `the payload has ${payload.length} bytes; at most ${MAX_PAYLOAD_BYTES} fit a direct message`,
    { details: { payload_bytes: payload.length, max_payload_bytes: MAX_PAYLOAD_BYTES } },
  );
}
