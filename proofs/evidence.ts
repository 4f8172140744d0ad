import * as z from 'zod';
import { burstDelivery, pairOutcome, subscriberReport } from './delivery-records.ts';
import {
  faultApplied,
  faultGone,
  faultLapsed,
  faultMeasured,
  faultRequested,
  faultReverted,
} from './fault-records.ts';
import { controlLost, controlRegained, hostPreflight, programSeen } from './host-records.ts';
import { planSchema } from './plan-schema.ts';
import { STOP_CONDITIONS } from './safety-schema.ts';
import { measurement, peerView, targetDeclared, upgradeStaged } from './scenario-records.ts';
import { sample, telemetrySkipped } from './telemetry-records.ts';
import { verdictSchema } from './verdict-schema.ts';

export type { BurstDelivery, PairOutcome } from './delivery-records.ts';
export {
  DOCUMENT_NAMES,
  type DocumentName,
  type Epoch,
  type SampleRecord,
  type StoredDocument,
} from './telemetry-records.ts';
export { type Finding, VERDICTS, type Verdict, type VerdictWord } from './verdict-schema.ts';

/**
 * The vocabulary of evidence: every record that a run can write. Names are `snake_case` and carry their units, since
 * these are wire and file formats. Raw diagnostics documents are files beside the journal; a record names each by
 * path and SHA-256, so that a missing or changed file is noticed when the proof is judged again.
 */

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const nodeName = z.string().min(1);
const windowIndex = z.int().min(1).describe('1-based index of the window in the plan');

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

/** What the control plane between the harness and one runner lost or met while a window ran; counts of that window only. */
const controlTally = z.strictObject({
  type: z.literal('control_tally'),
  window: windowIndex.nullable().describe('null for what was met outside windows'),
  node: nodeName.describe('whose runner it is'),
  results: z.int().min(0).describe('results that the harness took from it'),
  forged: z.int().min(0).describe('messages in its name that it did not sign'),
  lost: z.int().min(0).describe('results that the runner had and that never arrived'),
  doubled: z.int().min(0).describe('results that arrived again'),
  malformed: z.int().min(0).describe('messages that were no result'),
  reconnects: z.int().min(0),
  restarts: z.int().min(0).describe('new processes of the runner seen under the same name'),
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

/** A stop condition of the plan was met: faults are healed, and the run ends early. */
const stopped = z.strictObject({
  type: z.literal('run_stopped'),
  condition: z.enum(STOP_CONDITIONS),
  why: z.string(),
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
  telemetrySkipped,
  windowStarted,
  windowFinished,
  scenarioStarted,
  scenarioFinished,
  pairOutcome,
  burstDelivery,
  subscriberReport,
  processExited,
  controlTally,
  hostPreflight,
  programSeen,
  controlLost,
  controlRegained,
  restartDeclared,
  nodeRecovered,
  faultRequested,
  faultApplied,
  faultMeasured,
  faultLapsed,
  faultReverted,
  faultGone,
  measurement,
  targetDeclared,
  upgradeStaged,
  peerView,
  fault,
  stopped,
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
