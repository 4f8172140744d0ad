import * as z from 'zod';

/**
 * What a fault leaves in the evidence: that it was asked for, that it stood, what was measured on its edges before,
 * during and after, and that it is proven gone. A fault is what a scenario asked for; a lease is what carries a part of
 * it on one host.
 */

const windowIndex = z.int().min(1).describe('1-based index of the window in the plan');
const nodeName = z.string().min(1);
const faultId = z.string().min(1).describe('unique in the run');
const edge = z.tuple([nodeName, nodeName]).describe('directed: [from, to]');

const FAULT_KINDS = ['cut', 'shape', 'pause', 'stop', 'restart'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Written before anything is touched. */
export const faultRequested = z.strictObject({
  type: z.literal('fault_requested'),
  window: windowIndex,
  scenario: z.string(),
  fault_id: faultId,
  kind: z.enum(FAULT_KINDS),
  targets: z.array(nodeName).min(1).describe('nodes that suffer it; objectives may exempt them'),
  edges: z.array(edge).describe('links that it harms; empty for faults of processes'),
  spec: z.record(z.string(), z.json()).describe('the figures asked for, with their units in their names'),
  ttl_ms: z
    .number()
    .min(0)
    .describe('after which the host ends it when nobody renews it; 0 for momentary faults'),
});

/** Every lease of it is in force on its host. */
export const faultApplied = z.strictObject({
  type: z.literal('fault_applied'),
  fault_id: faultId,
  took_ms: z.number().min(0),
});

/** A probe of one edge beside the nodes, or the state of one process. */
export const faultMeasured = z.strictObject({
  type: z.literal('fault_measured'),
  fault_id: faultId,
  phase: z.enum(['before', 'during', 'after']),
  role: z.enum(['faulted', 'control']).describe('control: an edge or node that must not feel the fault'),
  edge: edge.nullable().describe('null for the state of a process'),
  node: nodeName.nullable().describe('null for an edge'),
  probes: z
    .strictObject({
      sent: z.int().min(1),
      answered: z.int().min(0),
      rtt_ms: z.number().nullable().describe('median of the answered; null when none was'),
    })
    .nullable(),
  matched_packets: z
    .int()
    .min(0)
    .nullable()
    .describe(
      'packets of real traffic that met the rule since it was applied; null where nothing counts them',
    ),
  process: z
    .strictObject({ state: z.enum(['running', 'paused', 'stopped', 'gone']), boot_id: z.string().nullable() })
    .nullable(),
  unreadable: z.string().nullable().describe('why this measurement could not be taken; null when it was'),
});

export const faultReverted = z.strictObject({
  type: z.literal('fault_reverted'),
  fault_id: faultId,
  took_ms: z.number().min(0),
});

/** A lease that was not there any more while its fault was held: what was measured after that is not the fault's. */
export const faultLapsed = z.strictObject({
  type: z.literal('fault_lapsed'),
  fault_id: faultId,
  node: nodeName.describe('the host that had it'),
  why: z.string(),
});

/** An independent look at every host of the fault after it was reverted or had expired. */
export const faultGone = z.strictObject({
  type: z.literal('fault_gone'),
  fault_id: faultId,
  proven: z.boolean().describe('false: something of it stands, or nobody could look; the run is dirty'),
  why: z.string().nullable(),
});

export type FaultRequested = z.infer<typeof faultRequested>;
export type FaultMeasured = z.infer<typeof faultMeasured>;
