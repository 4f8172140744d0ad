import * as z from 'zod';
import { counter, gauge, milliseconds, peerHex, unixMs } from './figures.ts';

/** Steps of an acknowledged direct message, at its sender and at its receiver. */
const ACK_STAGES = [
  'sender_open_bi',
  'sender_request_write',
  'sender_request_finish',
  'sender_response_read',
  'receiver_demux',
  'receiver_admission',
  'receiver_response_write_finish',
] as const;
export type AckStage = (typeof ACK_STAGES)[number];

/** How acknowledged direct messages can end, counted per minute. */
const ACK_OUTCOMES = [
  'sender_accepted',
  'sender_rejected',
  'sender_invalid_response',
  'sender_response_incomplete',
  'sender_ack_timeout',
  'sender_connection_closed',
  'sender_retry_attempted',
  'sender_retry_accepted',
  'sender_retry_failed',
  'receiver_accepted',
  'receiver_rejected',
  'receiver_duplicate_replayed',
  'receiver_duplicate_conflict',
  'receiver_response_write_failed',
  'receiver_response_finish_failed',
  'receiver_response_timed_out',
] as const;
export type AckOutcome = (typeof ACK_OUTCOMES)[number];

/** At most 2048 samples per stage and row; percentiles are null when there are none. */
const stageTimings = z.strictObject({
  count: counter,
  p50_ms: milliseconds.nullable(),
  p95_ms: milliseconds.nullable(),
  p99_ms: milliseconds.nullable(),
  p999_ms: milliseconds.nullable(),
  max_ms: milliseconds.nullable(),
});

const row = z.strictObject({
  peer_id: peerHex,
  stable_id: gauge.describe('of the connection; here its generation'),
  minute_unix: gauge.describe('Unix time in whole minutes'),
  stages: z.record(z.enum(ACK_STAGES), stageTimings),
  outcomes: z.record(z.enum(ACK_OUTCOMES), counter),
});

/** `/diagnostics/ack` without its envelope: one row per peer, connection and minute. */
export const ackDocumentSchema = z.strictObject({
  ack: z.strictObject({
    generated_at_unix_ms: unixMs,
    retention_minutes: gauge,
    peers: z.array(row),
  }),
});
export type AckDocument = z.infer<typeof ackDocumentSchema>;
