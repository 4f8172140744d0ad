import * as z from 'zod';
import { BURST_PAYLOAD_MAX_BYTES } from './burst-payload.ts';
import { hex64Schema } from './protocol.ts';

/** What each action of a runner takes, and what the `details` of its results say. */

const requestId = z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/, 'expected 1 to 128 of A-Z a-z 0-9 . _ : -');
const digestMarker = z
  .string()
  .max(64)
  .regex(/^[^|]*$/, 'must not contain a bar');
const burstId = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'expected 1 to 128 printable ASCII characters');
const topic = z.string().min(1).max(256);

/** `discover` and `noop_ack`. Loose, since operators of x0x put flags of their own in here. */
export const plainParamsSchema = z.looseObject({ request_id: requestId.optional() });

const discoverDetailsSchema = z.strictObject({
  runner_version: z.string(),
  streams: z
    .strictObject({ direct: z.boolean(), events: z.boolean() })
    .describe('attached to the node right now'),
  streams_attached: z.boolean().describe('both of them'),
  node_connects: z.int().min(1).describe('times that this runner attached to its node, the first included'),
  unhandled_errors_total: z.int().min(0).describe('errors that reached no handler; logged, and survived'),
  uptime_secs: z.number().min(0).describe('of the runner'),
});

export type DiscoverDetails = z.infer<typeof discoverDetailsSchema>;

/** The send call as a whole, from the runner's side, in ms; DESIGN "Budgets nest". */
const SEND_BUDGET_MS = { default: 12_000, max: 60_000 } as const;

export const sendDmParamsSchema = z.strictObject({
  recipient_aid: hex64Schema,
  payload_b64: z.base64(),
  request_id: requestId,
  digest_marker: digestMarker.default(''),
  anchor_aid: hex64Schema
    .nullable()
    .default(null)
    .describe('agent that the receiver reports to; null: nobody'),
  prefer_raw_quic_if_connected: z.boolean().default(true),
  raw_quic_receive_ack_ms: z.int().min(100).max(30_000).default(8_000),
  stop_fallback_on_raw_error: z.boolean().default(true),
  budget_ms: z.int().min(100).max(SEND_BUDGET_MS.max).default(SEND_BUDGET_MS.default),
  max_attempts: z
    .int()
    .min(1)
    .max(3)
    .default(1)
    .describe('API calls; above 1, the back-off is 1 s × attempt'),
});
export type SendDmParams = z.input<typeof sendDmParamsSchema>;

export const sendDetailsSchema = z.strictObject({
  path: z.string().nullable().describe('as named by the receipt; null when there is none'),
  retries_used: z.int().min(0).nullable().describe('by the node in the call that succeeded'),
  runner_attempts: z.int().min(0).describe('API calls made'),
  attempts: z
    .int()
    .min(0)
    .describe('tries in all: those the node reports for each call, at least one for a call that failed'),
  remote_request_id: z.string().nullable(),
  receipt: z.string().nullable().describe('tier of the receipt'),
  wall_clock_ms: z.number().min(0).describe('over all attempts'),
  recipient_aid: hex64Schema,
  payload_sha256: hex64Schema.describe('of the inner payload'),
  http_status: z.int().nullable().describe('of the last failure'),
  error: z.string().nullable(),
  error_code: z.string().nullable(),
});
export type SendDetails = z.infer<typeof sendDetailsSchema>;

export const receivedDmDetailsSchema = z.strictObject({
  sender: hex64Schema,
  machine_id: hex64Schema,
  verified: z.boolean(),
  trust_decision: z.string().nullable(),
  bytes: z.int().min(0).describe('of the whole message'),
  via: z.literal('direct'),
  payload_sha256: hex64Schema.describe('of the inner payload'),
  receipt: z
    .int()
    .min(1)
    .describe('1 for the first arrival of this request id from this sender, 2 for its first double…'),
  received_at_ms: z.int().describe('Unix time that the receiving node put on it'),
});
export type ReceivedDmDetails = z.infer<typeof receivedDmDetailsSchema>;

export const publishParamsSchema = z.strictObject({
  topic,
  burst_id: burstId,
  messages: z.int().min(1).max(100_000),
  payload_bytes: z.int().min(1).max(BURST_PAYLOAD_MAX_BYTES),
  delay_ms: z.number().min(0).max(60_000),
  seed: z.int().min(0).max(0xffff_ffff),
  request_id: requestId.optional(),
});
export type PublishParams = z.input<typeof publishParamsSchema>;

export const publishDetailsSchema = z.strictObject({
  burst_id: burstId,
  planned: z.int().min(1),
  accepted: z.int().min(0),
  failed: z.int().min(0),
  failures: z.record(z.string(), z.int().min(1)).describe('by error code'),
  first_error: z.string().nullable(),
  last_error: z.string().nullable(),
  publish_secs: z.number().min(0),
  late_ms_max: z.number().min(0).describe('greatest delay of a call against the planned pace'),
});
export type PublishDetails = z.infer<typeof publishDetailsSchema>;

export const subscribeCollectParamsSchema = z.strictObject({
  topic,
  burst_id: burstId,
  expected: z.int().min(1).max(100_000).describe('distinct messages of the burst'),
  max_ms: z.int().min(1).max(3_600_000).describe('from collect_ready on'),
  read_delay_ms: z
    .int()
    .min(0)
    .max(600_000)
    .default(0)
    .describe("after the first message, how long this runner reads nothing from its node's event stream"),
  linger_ms: z
    .int()
    .min(0)
    .max(60_000)
    .default(100)
    .describe('listening on for doubles after the last one came'),
  request_id: requestId.optional(),
});
export type SubscribeCollectParams = z.input<typeof subscribeCollectParamsSchema>;

/** Ends the collection of `burst_id` on this runner now; what it has goes into its result. */
export const collectStopParamsSchema = z.strictObject({
  burst_id: burstId,
  request_id: requestId.optional(),
});

export const collectDetailsSchema = z.strictObject({
  burst_id: burstId,
  topic,
  ended_by: z.enum(['complete', 'deadline', 'stopped']),
  expected: z.int().min(1),
  delivered: z.int().min(0).describe('distinct sequence numbers that came whole'),
  duplicates: z.int().min(0),
  corrupted: z.int().min(0),
  foreign: z.int().min(0).describe('messages of the topic that are not of this burst'),
  unverified: z.int().min(0).describe('messages whose origin the node could not verify; not delivered'),
  resubscribed: z.int().min(0).describe('times that the event stream broke and was attached again meanwhile'),
  latency_ms: z
    .strictObject({ p50: z.number(), p99: z.number(), max: z.number() })
    .nullable()
    .describe('publish call to event, each on its own wall clock; nearest rank'),
  missing_seqs: z.array(z.int()).max(32).describe('the first few'),
  collect_ms: z.number().min(0),
});
export type CollectDetails = z.infer<typeof collectDetailsSchema>;
