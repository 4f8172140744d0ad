import * as z from 'zod';
import { observationSchema } from './observation.ts';

/** What telemetry writes: the rounds on a schedule and around scenarios, and the rounds that did not take place. */

const windowOrNone = z.int().min(1).nullable().describe('1-based index of the window; null outside windows');

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
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().min(0),
  epoch: epochSchema,
});
export type StoredDocument = z.infer<typeof storedDocumentSchema>;

/** A round of telemetry on one node: each document seen or missing. */
export const sample = z.strictObject({
  type: z.literal('sample'),
  window: windowOrNone,
  scenario: z.string().nullable().describe('null when not tied to one scenario'),
  phase: z.enum(['pre', 'post', 'schedule']),
  node: z.string().min(1),
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

/** Rounds of the schedule that never took place, on no node: the schedule ran late, or its slots passed unseen. */
export const telemetrySkipped = z.strictObject({
  type: z.literal('telemetry_skipped'),
  window: windowOrNone,
  rounds: z.int().min(1).describe('slots of the schedule in which no node was read'),
  why: z.string(),
});

/** Why a document of `node` was not read, without the names that stand before it where it is told. */
export function shortWhy(name: DocumentName, node: string, why: string): string {
  const named = `${name} of ${node}: `;
  return why.startsWith(named) ? why.slice(named.length) : why;
}
