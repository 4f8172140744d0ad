import type { Restart } from './restarts.ts';
import type { Epoch } from './telemetry-records.ts';

/** A counter as it stood at one moment, with the process lifetime that it belongs to. */
export interface CounterPoint {
  /** Harness monotonic clock. */
  readonly atMonoMs: number;
  readonly epoch: Epoch;
  readonly value: number;
}

/** What keeps the growth of a counter from being told. */
export type BrokenGrowth =
  | { readonly broken: 'negative' | 'reset' }
  | { readonly broken: 'restarted'; readonly why: string };

type Growth =
  /** `lostSecs`: a declared restart lies between; what it counted in so long before that is lost. Null without one. */
  { readonly grown: number; readonly lostSecs: number | null } | BrokenGrowth;

/** How far a counter grew from point to point, with the points that a declared restart lies before; or between which it broke. */
export type GrowthAlong<P> =
  | {
      readonly grown: number;
      readonly restarted: readonly { readonly point: P; readonly lostSecs: number }[];
    }
  | (BrokenGrowth & { readonly from: P; readonly to: P });

/** Growth of a counter over `later`, in time order; one step that cannot be told leaves all of it unknown. */
export function growthAlong<P extends CounterPoint>(
  first: P,
  later: readonly P[],
  restarts: readonly Restart[],
): GrowthAlong<P> {
  let grown = 0;
  let from = first;
  const restarted: { readonly point: P; readonly lostSecs: number }[] = [];
  for (const point of later) {
    const growth = growthBetween(from, point, restarts);
    if ('broken' in growth) return { ...growth, from, to: point };
    grown += growth.grown;
    if (growth.lostSecs !== null) restarted.push({ point, lostSecs: growth.lostSecs });
    from = point;
  }
  return { grown, restarted };
}

/**
 * Growth of a counter from `a` to `b`, by the epoch rule of OpenMetrics: a difference exists inside one process lifetime
 * only, and is never clamped. A declared restart in between counts the new process from 0 and loses at most the tail of the
 * old one; an undeclared one leaves the growth unknown. `reset`: the counter went back inside one lifetime.
 * @param restarts of the node, whenever they were
 */
export function growthBetween(a: CounterPoint, b: CounterPoint, restarts: readonly Restart[]): Growth {
  if (a.value < 0 || b.value < 0) return { broken: 'negative' };
  const isOneLife = a.epoch.boot_id === b.epoch.boot_id && b.epoch.uptime_secs >= a.epoch.uptime_secs;
  if (isOneLife)
    return b.value < a.value ? { broken: 'reset' } : { grown: b.value - a.value, lostSecs: null };
  const between = restarts.filter(
    ({ firstSeenMonoMs }) => firstSeenMonoMs > a.atMonoMs && firstSeenMonoMs <= b.atMonoMs,
  );
  const undeclared = between.find(({ declared }) => !declared);
  if (undeclared !== undefined || between.length === 0) {
    return { broken: 'restarted', why: undeclared?.why ?? 'its uptime went back' };
  }
  const bootedMonoMs = b.atMonoMs - b.epoch.uptime_secs * 1_000;
  return { grown: b.value, lostSecs: Math.max(0, (bootedMonoMs - a.atMonoMs) / 1_000) };
}
