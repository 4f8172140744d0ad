import type { PairOutcome } from '../proofs/evidence.ts';
import type { Edge } from './faults.ts';

/** For direct messages: the nodes' own budget for an acknowledgement is 8 s, their runners' 12 s. */
export const SEND_SETTLE_MS = 14_000;

/** Every directed pair of `nodes`. */
export function pairsAmong(nodes: readonly string[]): readonly Edge[] {
  return nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to): Edge => [from, to]));
}

/** A figure: the share that was accepted and received, with what became of the first few others. */
export function deliveredRatio(outcomes: readonly PairOutcome[]): {
  readonly value: number | null;
  readonly why?: string;
} {
  if (outcomes.length === 0) return { value: null, why: 'no message was sent' };
  const failed = outcomes.filter(({ accepted, received }) => !accepted || !received);
  const value = (outcomes.length - failed.length) / outcomes.length;
  if (failed.length === 0) return { value };
  const told = failed
    .slice(0, 5)
    .map(({ from, to, failure }) => `${from}→${to}: ${failure?.detail ?? 'not received'}`);
  return { value, why: `${failed.length} of ${outcomes.length} not delivered: ${told.join('; ')}` };
}
