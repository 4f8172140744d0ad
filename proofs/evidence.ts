import { z } from 'zod';
import { observationSchema } from './observation.ts';
import { planSchema } from './plan-schema.ts';
import { verdictSchema } from './verdict-schema.ts';

export { type Finding, VERDICTS, type Verdict, type VerdictWord } from './verdict-schema.ts';

/**
 * The vocabulary of evidence: every record that a run can write. Names are `snake_case` and carry their units, since
 * these are wire and file formats. Raw diagnostics documents are files beside the journal; a record names each by
 * path and SHA-256, so that a missing or changed file is noticed when the proof is judged again.
 */

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const nodeName = z.string().min(1);
const windowIndex = z.int().min(1).describe('1-based index of the window in the plan');

/** Process lifetime of a node: counters may be subtracted only inside one epoch. */
const epochSchema = z.strictObject({
  boot_id: z.string().min(1),
  uptime_secs: z.number().min(0),
});
export type Epoch = z.infer<typeof epochSchema>;

/** The diagnostics documents that telemetry reads from every node, by the last part of their path. */
export const DOCUMENT_NAMES = [
  'gossip',
  'ack',
  'connectivity',
  'dm',
  'transport',
  'runtime',
  'health',
] as const;
const documentNameSchema = z.enum(DOCUMENT_NAMES);
export type DocumentName = z.infer<typeof documentNameSchema>;

/** One raw document kept as a file of the proof. */
const storedDocumentSchema = z.strictObject({
  file: z.string().describe('path inside the proof directory, with forward slashes'),
  sha256: hex64,
  bytes: z.int().min(0),
  epoch: epochSchema,
});
export type StoredDocument = z.infer<typeof storedDocumentSchema>;

const runStarted = z.strictObject({
  type: z.literal('run_started'),
  run_id: z.string(),
  version: z.string().describe('meshproof version'),
  command: z.array(z.string()),
  environment: z
    .record(z.string(), z.union([z.string(), z.number()]))
    .describe('platform, runtime, CPU count…'),
});

const planSealed = z.strictObject({
  type: z.literal('plan_sealed'),
  plan: planSchema,
  plan_sha256: hex64.describe('of the bytes of plan.json'),
});

const nodeIdentified = z.strictObject({
  type: z.literal('node_identified'),
  node: nodeName,
  agent_id: hex64,
  machine_id: hex64,
  udp_address: z.string().describe('host:port bound by the QUIC socket'),
  boot_id: z.string(),
  version: z.string(),
});

const meshReady = z.strictObject({
  type: z.literal('mesh_ready'),
  after_ms: z.number().describe('from the start of the wait to the full mesh'),
  live_links: z.int().describe('directed live connections seen, n(n-1) when complete'),
});

/** A round of telemetry on one node: each document seen or missing. */
const sample = z.strictObject({
  type: z.literal('sample'),
  window: windowIndex.nullable().describe('null outside windows'),
  scenario: z.string().nullable().describe('null when not tied to one scenario'),
  phase: z.enum(['pre', 'post', 'schedule']),
  node: nodeName,
  at_wall_ms: z.number(),
  at_mono_ms: z.number().describe('harness monotonic clock'),
  took_ms: z.number().min(0),
  epoch: epochSchema.nullable().describe('of the node in this round; null when no document could be read'),
  documents: z.partialRecord(documentNameSchema, observationSchema(storedDocumentSchema)),
  gauges: z
    .record(z.string(), z.number().nullable())
    .describe('a few live figures of scheduled rounds, whose documents are not kept as files'),
});
export type SampleRecord = z.infer<typeof sample>;

const windowStarted = z.strictObject({
  type: z.literal('window_started'),
  window: windowIndex,
  planned_offset_ms: z.number().describe('of the fixed grid, from the start of the first window'),
  late_ms: z.number().min(0),
});

const windowFinished = z.strictObject({
  type: z.literal('window_finished'),
  window: windowIndex,
  outcome: z.enum(['ran', 'missed', 'interrupted']),
  why: z.string().nullable(),
  took_ms: z.number().min(0),
});

const scenarioStarted = z.strictObject({
  type: z.literal('scenario_started'),
  window: windowIndex,
  scenario: z.string(),
  options: z.record(z.string(), z.json()),
});

const scenarioFinished = z.strictObject({
  type: z.literal('scenario_finished'),
  window: windowIndex,
  scenario: z.string(),
  outcome: z.enum(['ran', 'failed', 'not_run']),
  why: z.string().nullable(),
  took_ms: z.number().min(0),
});

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

/** What became of one directed pair. Sent and received are joined by `request_id`. */
const pairOutcome = z.strictObject({
  type: z.literal('pair_outcome'),
  window: windowIndex,
  scenario: z.string(),
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
});
export type PairOutcome = z.infer<typeof pairOutcome>;

/** Delivery of one publisher's burst at one subscriber. */
const burstDelivery = z.strictObject({
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
});
export type BurstDelivery = z.infer<typeof burstDelivery>;

const subscriberReport = z.strictObject({
  type: z.literal('subscriber_missing'),
  window: windowIndex,
  scenario: z.string(),
  node: nodeName,
  why: z.string(),
});

/** A process of the run ended. An unexpected end of a node or runner is never a GO. */
const processExited = z.strictObject({
  type: z.literal('process_exited'),
  node: nodeName,
  role: z.enum(['node', 'runner']),
  code: z.int().nullable(),
  signal: z.string().nullable(),
  expected: z.boolean(),
  last_words: z.array(z.string()).max(20).describe('the last lines it wrote to stderr'),
});

/** A restart that a scenario made on purpose; the counter interval of this node splits here. */
const restartDeclared = z.strictObject({
  type: z.literal('restart_declared'),
  window: windowIndex,
  scenario: z.string(),
  node: nodeName,
});

/** How long a node that was restarted on purpose took to serve again. */
const nodeRecovered = z.strictObject({
  type: z.literal('node_recovered'),
  window: windowIndex,
  scenario: z.string(),
  node: nodeName,
  after_ms: z
    .number()
    .min(0)
    .nullable()
    .describe('from its own restart command to healthy; null when it never was'),
});

const fault = z.strictObject({
  type: z.literal('harness_fault'),
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.json()),
});

const interrupted = z.strictObject({ type: z.literal('run_interrupted'), signal: z.string() });

/** The mesh is down and nothing more will be seen. A journal without this may have lost its end, so it is never a GO. */
const evidenceClosed = z.strictObject({ type: z.literal('evidence_closed') });

const judged = z.strictObject({ type: z.literal('judged'), verdict: verdictSchema });

const runFinished = z.strictObject({
  type: z.literal('run_finished'),
  exit_code: z.int(),
  took_ms: z.number().min(0),
});

export const recordSchema = z.discriminatedUnion('type', [
  runStarted,
  planSealed,
  nodeIdentified,
  meshReady,
  sample,
  windowStarted,
  windowFinished,
  scenarioStarted,
  scenarioFinished,
  pairOutcome,
  burstDelivery,
  subscriberReport,
  processExited,
  restartDeclared,
  nodeRecovered,
  fault,
  interrupted,
  evidenceClosed,
  judged,
  runFinished,
]);
export type EvidenceRecord = z.infer<typeof recordSchema>;
export type RecordType = EvidenceRecord['type'];
export type RecordOf<T extends RecordType> = Extract<EvidenceRecord, { type: T }>;

/** A record as it stands in the journal: numbered, stamped, and chained to the one before it. */
export type JournalEntry = {
  readonly seq: number;
  readonly at_wall_ms: number;
  readonly prev: string;
  readonly record: EvidenceRecord;
  readonly hash: string;
};
