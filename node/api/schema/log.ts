import * as z from 'zod';
import { base64, counter, gauge, hex64 } from './figures.ts';

const head = {
  height: gauge.describe('entries known'),
  head_hash: hex64.describe('equal on two nodes if and only if they know the same entries'),
} as const;

/** `POST /logs/:topic/entries`. Unknown keys of requests are ignored. */
export const appendLogRequestSchema = z.object({ payload: base64 });
export const appendLogBodySchema = z.strictObject({
  ok: z.literal(true),
  ...head,
  seq: z.int().min(1).describe('number of the entry among those that this process appended to the topic'),
});
export type AppendLogBody = z.infer<typeof appendLogBodySchema>;

/** How far the entries of one writer are known. A restarted process is a writer of its own. */
const logOriginSchema = z.strictObject({
  agent_id: hex64,
  incarnation: z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 lowercase hex characters'),
  seq: z.int().min(1).describe('its last entry'),
});

/** `GET /logs/:topic`. A topic that nobody wrote to has height 0. */
export const logHeadBodySchema = z.strictObject({
  ok: z.literal(true),
  topic: z.string(),
  ...head,
  origins: z.array(logOriginSchema),
});
export type LogHeadBody = z.infer<typeof logHeadBodySchema>;

/** `GET /logs`: every head, what they take up, and what came of what peers sent. */
export const logsBodySchema = z.strictObject({
  ok: z.literal(true),
  topics: z.array(z.strictObject({ topic: z.string(), ...head })),
  bytes: gauge.describe('payloads and signatures in memory'),
  frames_sent_total: counter,
  frames_not_sent_total: counter.describe('made good for by a later round'),
  frames_malformed_total: counter,
  frames_over_limit_total: counter,
  segments_by_outcome: z
    .record(z.enum(['added', 'known', 'gap', 'conflict', 'full', 'forged']), counter)
    .describe('groups of entries that peers sent; conflict: their writer signed two histories'),
});
export type LogsBody = z.infer<typeof logsBodySchema>;
