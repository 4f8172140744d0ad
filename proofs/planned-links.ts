import * as z from 'zod';

const plannedFigures = z.strictObject({
  latency_ms: z.number().min(0).describe('one way'),
  jitter_ms: z.number().min(0).describe('standard deviation'),
  loss_ratio: z.number().min(0).max(1),
  rate_kbit: z.number().positive().nullable().describe('null: as fast as the machine'),
  queue_bytes: z.int().min(0).describe('what may wait for the rate'),
  reorder_ratio: z.number().min(0).max(1),
  reorder_by_ms: z.number().min(0),
});

/**
 * The links between the nodes of a run as they were set, faults apart: every directed pair of the roster once, those
 * with equal figures together. Of the machines of a lab, as the lab says and holds them; a plan without any had whatever lay
 * between its nodes.
 */
export const plannedLinksSchema = z.strictObject({
  format: z.literal('meshproof.planned-links.v1'),
  name: z.string().min(1).describe('as the operator named them: a profile, or the path of a file'),
  groups: z.array(
    z.strictObject({
      figures: plannedFigures,
      edges: z
        .array(z.tuple([z.string(), z.string()]))
        .min(1)
        .describe('directed: [from, to]'),
    }),
  ),
});
export type PlannedLinks = z.infer<typeof plannedLinksSchema>;
