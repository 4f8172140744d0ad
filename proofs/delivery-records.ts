import * as z from 'zod';

/** What became of messages: of each directed pair of the matrix, and of a burst at each of its subscribers. */

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const nodeName = z.string().min(1);
const windowIndex = z.int().min(1).describe('1-based index of the window in the plan');

/** Why a pair of the matrix failed; labels as operators of the nearest system know them. */
const FAILURE_CLASSES = [
  'command_dispatch_fail',
  'send_no_result',
  'send_err',
  'recv_miss',
  'wrong_path',
  'corrupted',
  'unverified_sender',
  'duplicated',
] as const;

/** The clock is that of the samples. */
const listening = z
  .strictObject({ from: z.number(), until: z.number() })
  .optional()
  .describe('from its command until the harness stopped listening; left out in older proofs');

/** What became of one directed pair. Sent and received are joined by `request_id`. */
export const pairOutcome = z.strictObject({
  type: z.literal('pair_outcome'),
  window: windowIndex,
  scenario: z.string(),
  label: z.string().optional().describe('which of several sends of one scenario; left out for Phase A'),
  from: nodeName,
  to: nodeName,
  request_id: z.string(),
  sent: z.boolean().describe('the command reached the source runner'),
  accepted: z.boolean().describe('the source node took the message'),
  acked: z.boolean().describe('the receipt says the destination node admitted it'),
  received: z.boolean().describe('the destination runner reported it with the right payload hash'),
  duplicates: z.int().min(0).describe('reports of it beyond the first'),
  attempts: z
    .int()
    .min(0)
    .nullable()
    .describe('tries that the source needed in all; null when it never reported'),
  path: z.string().nullable().describe('as named by the receipt'),
  latency_ms: z.number().nullable().describe('send call to receipt, at the source'),
  payload_sha256: hex64.describe('of what was to be sent'),
  received_sha256: hex64.nullable(),
  sender_verified: z.boolean().nullable().describe('the destination node verified the planned sender'),
  failure: z.strictObject({ class: z.enum(FAILURE_CLASSES), detail: z.string() }).nullable(),
  span_mono_ms: listening,
});
export type PairOutcome = z.infer<typeof pairOutcome>;

/** Delivery of one publisher's burst at one subscriber. */
export const burstDelivery = z.strictObject({
  type: z.literal('burst_delivery'),
  window: windowIndex,
  scenario: z.string(),
  publisher: nodeName,
  subscriber: nodeName,
  topic: z.string(),
  planned: z.int().min(0),
  published: z.int().min(0).describe('accepted by the publishing node'),
  delivered: z.int().min(0).describe('distinct sequence numbers with the right payload'),
  duplicates: z.int().min(0),
  corrupted: z.int().min(0),
  latency_ms: z
    .strictObject({ p50: z.number(), p99: z.number(), max: z.number() })
    .nullable()
    .describe('publish call to subscriber event, both on their own wall clocks; null when nothing arrived'),
  missing_seqs: z.array(z.int()).max(32).describe('the first few that never arrived'),
  note: z
    .string()
    .optional()
    .describe('what the publisher said of publishes that failed; left out when none did'),
  span_mono_ms: listening,
});
export type BurstDelivery = z.infer<typeof burstDelivery>;

export const subscriberReport = z.strictObject({
  type: z.literal('subscriber_missing'),
  window: windowIndex,
  scenario: z.string(),
  node: nodeName,
  why: z.string(),
});
