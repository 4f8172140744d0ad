import * as z from 'zod';
import { DOCUMENT_NAMES, type DocumentName } from '../proofs/evidence.ts';

/**
 * Where an objective looks. `node`: each node in each scenario of each window. `pair`: each planned directed pair.
 * `fleet`: all of them together, per scenario. `window`: per window, gaps between windows included. `soak`: the
 * whole run.
 */
const SCOPES = ['node', 'pair', 'fleet', 'window', 'soak'] as const;
export type Scope = (typeof SCOPES)[number];

/**
 * What is taken from the figures. `delta`: growth of a counter inside one epoch. `last`: a gauge at the end. `ratio`:
 * one count over another. `count`: how often. `worst`: the greatest of several; `least`: the smallest.
 */
const MEASURES = ['delta', 'last', 'ratio', 'count', 'worst', 'least'] as const;
export type Measure = (typeof MEASURES)[number];

const limitSchema = z
  .strictObject({ max: z.number().optional(), min: z.number().optional() })
  .refine((limit) => limit.max !== undefined || limit.min !== undefined, 'needs max or min')
  .refine(
    ({ max, min }) => max === undefined || min === undefined || min <= max,
    'min is above max, so nothing could ever pass',
  );
export type Limit = z.infer<typeof limitSchema>;

const name = z.string().trim().min(1);

/** One objective of a definition, as written; what its metric allows is checked in `parse-gate`. */
export const objectiveSchema = z.strictObject({
  name,
  metric: name,
  scope: z.enum(SCOPES),
  scenarios: z.array(name).min(1).optional(),
  except_in: z.array(name).default([]),
  measure: z.enum(MEASURES).optional(),
  limit: limitSchema,
  requires: z.array(z.enum(DOCUMENT_NAMES)).default([]),
  exempt_targets_of: z.array(name).default([]),
  why: name,
});

/** The outline of a definition file; objectives are parsed one by one, so that an error can name its objective. */
export const outlineSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'expected lower-case words joined by dashes'),
  description: name,
  requires_scenarios: z.array(name).default([]),
  objective: z.array(z.record(z.string(), z.unknown())).min(1, 'a gate without objectives judges nothing'),
});

/** A service-level objective, checked against the metric that it names. */
export interface Objective {
  readonly name: string;
  readonly metric: string;
  readonly scope: Scope;
  /** Scenarios that it looks at; `null` means every planned one. */
  readonly scenarios: readonly string[] | null;
  /** Scenarios that it does not look at, since what they do on purpose would break it. */
  readonly exceptIn: readonly string[];
  readonly limit: Limit;
  /** Every diagnostics document that must be seen before and after, those of the metric included. */
  readonly documents: readonly DocumentName[];
  /** Scenarios in which the nodes that a fault targets are not held to it. */
  readonly exemptTargetsOf: readonly string[];
  readonly why: string;
}

/** A parsed gate: what must hold for a GO. `sha256` is the digest of the definition's text. */
export interface Gate {
  readonly name: string;
  readonly description: string;
  readonly sha256: string;
  readonly requiresScenarios: readonly string[];
  readonly objectives: readonly Objective[];
}
