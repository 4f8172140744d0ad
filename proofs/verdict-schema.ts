import * as z from 'zod';
import { observationSchema } from './observation.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const windowIndex = z.int().min(1).describe('1-based index of the window in the plan');

/** The three verdicts, best first. */
export const VERDICTS = ['GO', 'INCONCLUSIVE', 'NO-GO'] as const;
const verdictWordSchema = z.enum(VERDICTS);
export type VerdictWord = z.infer<typeof verdictWordSchema>;

/** What the judge found for one objective at one place (a node, a pair, the fleet…). */
const findingSchema = z.strictObject({
  objective: z.string(),
  scope: z.enum(['node', 'pair', 'fleet', 'window', 'soak']),
  subject: z.string().describe('node name, "a→b", "fleet", "window 2", "soak"'),
  window: windowIndex.nullable(),
  scenario: z.string().nullable(),
  verdict: verdictWordSchema,
  value: observationSchema(z.union([z.number(), z.literal('infinity')])),
  limit: z.strictObject({ max: z.number().optional(), min: z.number().optional() }),
  margin: z
    .number()
    .nullable()
    .describe('distance to the limit in the unit of the metric, negative when broken'),
  reason: z.string(),
});
export type Finding = z.infer<typeof findingSchema>;

/** The judgement of a whole proof by one gate. */
export const verdictSchema = z.strictObject({
  gate: z.string(),
  gate_sha256: hex64,
  overall: verdictWordSchema,
  windows: z.array(
    z.strictObject({ window: windowIndex, verdict: verdictWordSchema, reasons: z.array(z.string()) }),
  ),
  reasons: z
    .array(z.string())
    .describe('why the overall verdict is not GO; for INCONCLUSIVE, what would decide it'),
  findings: z.array(findingSchema),
});
export type Verdict = z.infer<typeof verdictSchema>;
