import { type JsonObject, MeshproofError } from '../../kit/errors.ts';

/** Machine codes of `/direct/send` that this room gives; their HTTP statuses are in `api/schema/direct-send.ts`. */
export const DIRECT_ERROR_CODES = [
  'logical_id_requires_durable_ack',
  'recipient_rejected',
  'recipient_key_unavailable',
  'recipient_ack_semantics_unavailable',
  'idempotency_conflict',
  'payload_too_large',
  'peer_likely_offline',
  'peer_disconnected',
  'receiver_backpressured',
  'no_connectivity',
  'timeout',
] as const;
type DirectErrorCode = (typeof DIRECT_ERROR_CODES)[number];

/**
 * A direct message was not acknowledged. `code` is the machine code of the API in upper case; `details` are the fields
 * beside it (`request_id`, `attempts`, `elapsed_ms`; with a timeout `budget_stage` and `ack_wait_ms`).
 */
export class DirectSendError extends MeshproofError {
  constructor(
    apiCode: DirectErrorCode,
    message: string,
    options: { readonly details?: JsonObject; readonly cause?: unknown } = {},
  ) {
    super(apiCode.toUpperCase(), message, options);
  }
}
