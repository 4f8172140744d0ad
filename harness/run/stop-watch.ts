import type { StopCondition } from '../../proofs/safety-schema.ts';
import { StopError } from './stop-error.ts';

/** Rounds in a row that must miss a node before it counts as lost: one may fall into a hiccup. */
const ROUNDS_IN_A_ROW = 3;

/** What one scheduled round saw of a node. */
export type RoundSight = 'all' | 'some' | 'nothing';

/**
 * Watches for the stop conditions of a plan. Pure: events come in, and the first one that meets a condition gives the
 * error that ends the run. Nodes that a fault holds down are not counted; those to which the way is lost are out of
 * sight, which is `lost-telemetry`, and not lost.
 */
export class StopWatch {
  readonly #conditions: readonly StopCondition[];
  readonly #misses = new Map<string, { nothing: number; some: number }>(); // one per node
  readonly #lostWays = new Set<string>(); // of nodes

  constructor(conditions: readonly StopCondition[]) {
    this.#conditions = conditions;
  }

  windowJudged(window: number, verdict: string, reasons: readonly string[]): StopError | null {
    if (verdict !== 'NO-GO') return null;
    return this.#stopOn(
      'no-go',
      `window ${window} is NO-GO${reasons[0] === undefined ? '' : `: ${reasons[0]}`}`,
    );
  }

  processEnded(node: string, role: string, manner: 'expected' | 'unexpected'): StopError | null {
    return manner === 'unexpected' ? this.#stopOn('lost-node', `${role} of ${node} ended`) : null;
  }

  wayChanged(node: string, state: 'lost' | 'regained'): void {
    if (state === 'regained') this.#lostWays.delete(node);
    else this.#lostWays.add(node);
  }

  roundSeen(node: string, sight: RoundSight, standing: 'free' | 'held down'): StopError | null {
    if (sight === 'all' || standing === 'held down') {
      this.#misses.delete(node);
      return null;
    }
    const before = this.#misses.get(node) ?? { nothing: 0, some: 0 };
    const isOutOfSight = this.#lostWays.has(node);
    const nothing = sight === 'nothing' && !isOutOfSight ? before.nothing + 1 : 0;
    const now = { some: before.some + 1, nothing };
    this.#misses.set(node, now);
    if (now.nothing >= ROUNDS_IN_A_ROW) {
      const lost = this.#stopOn(
        'lost-node',
        `nothing of ${node} could be read in ${now.nothing} rounds in a row`,
      );
      if (lost !== null) return lost;
    }
    if (now.some < ROUNDS_IN_A_ROW) return null;
    const why = isOutOfSight ? ', the way to it being lost' : '';
    return this.#stopOn(
      'lost-telemetry',
      `${node} could not be read in full in ${now.some} rounds in a row${why}`,
    );
  }

  #stopOn(condition: StopCondition, why: string): StopError | null {
    return this.#conditions.includes(condition) ? new StopError(condition, why) : null;
  }
}
