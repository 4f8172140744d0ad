import * as z from 'zod';

/**
 * What became of an attempt to see something. `absent`: the source answered and had no such thing. `unreadable`: it
 * did not answer, or not in a form that can be trusted. `stale`: the newest value is older than allowed. Zero is
 * never a stand-in for any of them, and only `seen` can help a GO.
 */
export type Observation<T> =
  | { readonly seen: T }
  | { readonly missing: 'absent' | 'unreadable' | 'stale'; readonly why: string };

export function seen<T>(value: T): Observation<T> {
  return { seen: value };
}

export function missing(kind: 'absent' | 'unreadable' | 'stale', why: string): Observation<never> {
  return { missing: kind, why };
}

export function isSeen<T>(observation: Observation<T>): observation is { readonly seen: T } {
  return 'seen' in observation;
}

export function mapSeen<T, U>(observation: Observation<T>, change: (value: T) => U): Observation<U> {
  return isSeen(observation) ? seen(change(observation.seen)) : observation;
}

const missingSchema = z.strictObject({
  missing: z.enum(['absent', 'unreadable', 'stale']),
  why: z.string(),
});

export function observationSchema<S extends z.ZodType>(value: S) {
  return z.union([z.strictObject({ seen: value }), missingSchema]);
}
