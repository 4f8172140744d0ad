import * as z from 'zod';
import { observationSchema } from './observation.ts';

/** What the harness writes about machines that it reaches over a connection, beside what their nodes say. */

const nodeName = z.string().min(1);

/** One look at a machine before the first window. */
export const hostPreflight = z.strictObject({
  type: z.literal('host_preflight'),
  node: nodeName,
  status: z.enum(['ok', 'warn', 'fail']),
  clock_offset: observationSchema(
    z.strictObject({
      offset_ms: z.number().describe('positive when its clock is ahead of the harness'),
      uncertainty_ms: z.number().min(0),
    }),
  ),
  up_secs: observationSchema(z.number().min(0)).describe('since its init started'),
  node_up_secs: observationSchema(z.number().min(0)).describe("since the node's unit was started"),
  checks: z.array(
    z.strictObject({ check: z.string(), status: z.enum(['ok', 'warn', 'fail']), said: z.string() }),
  ),
});

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

/** Which program the process of a node is, found on its machine before a window. */
export const programSeen = z.strictObject({
  type: z.literal('program_seen'),
  window: z.int().min(1),
  node: nodeName,
  program: observationSchema(
    z.strictObject({
      executable: z.string().describe('of the process, by the kernel'),
      bundle_sha256: hex64.nullable().describe('of the programs beside it; null when it is none of ours'),
      reported_sha256: hex64.nullable().describe('what the node itself says that it runs'),
    }),
  ),
});

/** The connection to a machine was lost. It says nothing about the node there. */
export const controlLost = z.strictObject({
  type: z.literal('control_lost'),
  node: nodeName,
  code: z.string(),
  why: z.string(),
  since_mono_ms: z.number().describe('when it was last known to stand, on the clock of the samples'),
});

export const controlRegained = z.strictObject({
  type: z.literal('control_regained'),
  node: nodeName,
  after_ms: z.number().min(0).describe('since its loss was noticed'),
  at_mono_ms: z.number().describe('when it was known to stand again, on the clock of the samples'),
});
