import * as z from 'zod';

/**
 * What the harness and a runner say to each other, whichever way it travels. Names follow the vocabulary of x0x's mesh
 * runner; `boot_id`, `seq` and `results_dropped_total` are added, so that a restart, a loss or a doubling shows.
 */

export const hex64Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lowercase hex characters');
const idSchema = z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/, 'expected 1 to 128 of A-Z a-z 0-9 . _ : -');

/** Longest time that a command may be valid: as long as its id is kept against a second execution. */
export const COMMAND_LIFETIME_MAX_MS = 600_000;
/** Difference of wall clocks between operator and host that is let pass. */
export const CLOCK_SKEW_MAX_MS = 30_000;
/** Largest envelope that a runner reads. */
export const ENVELOPE_MAX_BYTES = 1_048_576;
/** `target_node` of a command that any runner may execute. */
export const ANY_NODE = '*';

export const commandSchema = z.strictObject({
  command_id: idSchema.describe('executed at most once per runner'),
  target_node: z.string().min(1).max(128).describe('node name, or * for any'),
  action: z.string().min(1).max(64),
  anchor_aid: hex64Schema
    .nullable()
    .describe('agent that results go to by direct message; null over loopback'),
  issued_at_unix_ms: z.int().min(0),
  expires_at_unix_ms: z.int().min(0),
  params: z.record(z.string(), z.json()),
});
export type Command = z.infer<typeof commandSchema>;

/** A command as it travels: the signature covers a domain and exactly the bytes of `command`. */
export const envelopeSchema = z.strictObject({
  command: z.string().describe('the JSON text that was signed'),
  operator: hex64Schema.describe("SHA-256 of the operator's ML-DSA-65 public key"),
  signature: z.base64().min(1).describe('ML-DSA-65'),
});
export type Envelope = z.infer<typeof envelopeSchema>;

const resultKindSchema = z.enum([
  'runner_ready',
  'discover_reply',
  'ack',
  'send_result',
  'received_dm',
  'publish_result',
  'collect_ready',
  'subscribe_collect_result',
  'error',
]);
export type ResultKind = z.infer<typeof resultKindSchema>;

/** Kinds that another result of the same command follows. */
export const PROGRESS_KINDS: ReadonlySet<ResultKind> = new Set(['collect_ready']);

const outcomeSchema = z.union([
  z.literal('ok'),
  z.strictObject({ error: z.string(), code: z.string().optional() }),
]);
export type Outcome = z.infer<typeof outcomeSchema>;

/** What a runner reports. `(boot_id, seq)` names a result; `seq` counts all results of one runner process from 1. */
export const resultSchema = z.strictObject({
  kind: resultKindSchema,
  command_id: idSchema.nullable().describe('null for what no command asked for'),
  request_id: z.string().nullable(),
  outcome: outcomeSchema,
  details: z.record(z.string(), z.json()),
  node: z.string().min(1),
  agent_id: hex64Schema,
  machine_id: hex64Schema,
  ts_ms: z.int().describe("Unix time on the runner's host"),
  digest_marker: z.string().nullable(),
  boot_id: z.string().min(1),
  seq: z.int().min(1),
  results_dropped_total: z.int().min(0).describe('results of this process that gave way unread'),
});
export type Result = z.infer<typeof resultSchema>;

/** The runner's answer to a command that it took or had taken before. */
export const acceptanceSchema = z.strictObject({
  ok: z.literal(true),
  command_id: idSchema,
  duplicate: z.boolean(),
  boot_id: z.string(),
});

/** The runner's answer to a command that it will not execute. */
export const refusalSchema = z.looseObject({
  ok: z.literal(false),
  code: z.string(),
  error: z.string(),
});

/** One answer of `GET /results`. */
export const resultPageSchema = z.strictObject({
  ok: z.literal(true),
  boot_id: z.string(),
  results: z.array(resultSchema),
  next_after: z.int().min(0).describe('the cursor to ask with next'),
  missed: z.int().min(0).describe('results past the cursor that had already given way'),
  dropped_total: z.int().min(0),
});
export type ResultPage = z.infer<typeof resultPageSchema>;
