import { until } from '../kit/deadline.ts';
import type { ScenarioContext } from './scenario.ts';

/**
 * Polls until `probe` holds, and gives the time of that by the scenario's clock; null when it did not by `untilMs`.
 * Throws what the probe throws, and the end of the run.
 */
export async function reachedAt(
  { clock, signal }: Pick<ScenarioContext, 'clock' | 'signal'>,
  what: string,
  { untilMs, everyMs }: { readonly untilMs: number; readonly everyMs: number },
  probe: () => Promise<boolean>,
): Promise<number | null> {
  const poll = async () => ((await probe()) ? clock.nowMs() : undefined);
  const budgetMs = Math.max(0, untilMs - clock.nowMs());
  try {
    return await until(what, poll, { budgetMs, everyMs, signal, clock });
  } catch (error) {
    signal.throwIfAborted();
    if (clock.nowMs() < untilMs) throw error;
    return null;
  }
}

/** A figure in seconds from `fromMs`; without a value, for that reason, when it was never reached. */
export function secsSince(
  fromMs: number,
  atMs: number | null,
  why: string,
): { readonly value: number } | { readonly value: null; readonly why: string } {
  return atMs === null ? { value: null, why } : { value: Math.max(0, atMs - fromMs) / 1_000 };
}
