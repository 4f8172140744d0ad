import * as z from 'zod';

/** Kinds of harm that need the operator's explicit leave. */
export const HARMS = ['netem', 'partition', 'restart', 'pause'] as const;
export type Harm = (typeof HARMS)[number];

/**
 * What keeps an experiment from becoming an accident, each on unless waived. `anchor`: the node that carries control and
 * publishes is never faulted. `third`: at most a third of the fleet is faulted at once. `one_per_host`: no host carries two faults at once.
 */
export const SAFETY_NETS = ['anchor', 'third', 'one_per_host'] as const;
export type SafetyNet = (typeof SAFETY_NETS)[number];

/**
 * What ends a run early, faults healed first. `no-go`: a window was judged NO-GO. `lost-node`: a process of the mesh
 * ended that nobody ended, or nothing of a node could be read in three rounds in a row. `lost-telemetry`: some document
 * of a node could not be read in three rounds in a row. Nodes that a fault holds down do not count. A node to whose
 * machine the way is lost is lost telemetry, not a lost node.
 */
export const STOP_CONDITIONS = ['no-go', 'lost-node', 'lost-telemetry'] as const;
export type StopCondition = (typeof STOP_CONDITIONS)[number];

/** What the operator allowed and waived, sealed with the plan. Plans from before there were faults allow nothing. */
export const safetySchema = z.strictObject({
  environment: z
    .string()
    .min(1)
    .describe('where this run may do harm: "local", or the environment of the inventory'),
  allowed: z.array(z.enum(HARMS)),
  waived: z.array(z.enum(SAFETY_NETS)),
  stop_on: z
    .array(z.enum(STOP_CONDITIONS))
    .nullable()
    .describe('empty for none; null when nothing was stated, which no destructive plan may leave so'),
});
export type Safety = z.infer<typeof safetySchema>;

/** Of a plan that does no harm. */
export const HARMLESS: Safety = { environment: 'local', allowed: [], waived: [], stop_on: null };
