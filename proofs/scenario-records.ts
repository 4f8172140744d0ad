import * as z from 'zod';

/**
 * What scenarios learn beyond pairs and bursts: single figures under declared names (`scenario-measures.ts`), and how
 * one node sees another at one moment.
 */

const windowIndex = z.int().min(1).describe('1-based index of the window in the plan');
const nodeName = z.string().min(1);

/** One figure; its name, unit and meaning are declared in `scenario-measures.ts`. */
export const measurement = z.strictObject({
  type: z.literal('measurement'),
  window: windowIndex,
  scenario: z.string(),
  name: z.string(),
  node: nodeName.nullable().describe('whose figure it is; null for one of the whole mesh'),
  peer: nodeName.nullable().describe('the other end, for a figure of an edge'),
  value: z.number().nullable().describe('null when it could not be had; never 0 for that'),
  why: z.string().nullable().describe('why there is no value, or what led to it'),
});

/**
 * A node that a scenario harms on purpose by another way than a fault, told before it does. Objectives may exempt it, as
 * they may the target of a fault.
 */
export const targetDeclared = z.strictObject({
  type: z.literal('target_declared'),
  window: windowIndex,
  scenario: z.string(),
  node: nodeName,
  why: z.string().describe('what is done to it'),
});

/** From its next start on, the node runs another bundle than the planned one, or the planned one again. */
export const upgradeStaged = z.strictObject({
  type: z.literal('upgrade_staged'),
  window: windowIndex,
  scenario: z.string(),
  node: nodeName,
  bundle_sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** How one node sees another, from its diagnostics; counters are monotonic since the observer's start. */
export const peerView = z.strictObject({
  type: z.literal('peer_view'),
  window: windowIndex,
  scenario: z.string(),
  label: z.string().describe('place in the timeline: start, mid, end, healing…'),
  at_wall_ms: z.number(),
  observer: nodeName,
  target: nodeName,
  boot_id: z.string().nullable().describe('of the observer; null when it could not be read'),
  view: z
    .strictObject({
      connected: z.boolean(),
      generation: z.int().min(0).nullable().describe('canonical connections to the target so far'),
      rtt_ms: z.number().nullable(),
      score_entries: z.int().min(0),
      suppressed_entries: z.int().min(0),
      suppressed_states: z.record(z.string(), z.int().min(0)),
      suppressed_topics: z.array(z.string()),
      roles: z.record(z.string(), z.int().min(0)),
      eager_eligible: z.int().min(0),
      score_min: z.number().nullable(),
      score_avg: z.number().nullable(),
      score_max: z.number().nullable(),
      send_health_avg: z.number().nullable(),
      send_timeouts_total: z.int().min(0),
      cooling_events_total: z.int().min(0),
      anti_entropy_rounds_total: z.int().min(0).nullable(),
      anti_entropy_repaired_total: z.int().min(0).nullable(),
    })
    .nullable()
    .describe('null when the observer could not be read'),
  unreadable: z.string().nullable(),
});

export type Measurement = z.infer<typeof measurement>;
export type PeerView = z.infer<typeof peerView>;
