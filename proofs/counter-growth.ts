import type { Epoch } from './telemetry-records.ts';

/** A counter as it stood at one moment, with the process lifetime that it belongs to. */
export interface CounterPoint {
  readonly epoch: Epoch;
  readonly value: number;
}

/** How far a counter grew, or what keeps that from being told. */
type Growth = { readonly grown: number } | { readonly broken: 'negative' | 'restarted' | 'reset' };

/**
 * Growth of a counter from `a` to `b`, by the epoch rule of OpenMetrics: a difference exists inside one process lifetime
 * only, and is never clamped. `reset`: the counter went back inside it.
 */
export function growthBetween(a: CounterPoint, b: CounterPoint): Growth {
  if (a.value < 0 || b.value < 0) return { broken: 'negative' };
  if (a.epoch.boot_id !== b.epoch.boot_id || b.epoch.uptime_secs < a.epoch.uptime_secs)
    return { broken: 'restarted' };
  return b.value < a.value ? { broken: 'reset' } : { grown: b.value - a.value };
}
