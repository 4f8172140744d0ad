import type { PairOutcome } from '../evidence.ts';
import type { Proof } from '../read-proof.ts';
import { type LatencyFacts, latencyOf, matrixOutcomes, matrixScenarios } from './window-facts.ts';

/** One directed pair of the plan over the whole run. */
export interface PairFacts {
  readonly from: string;
  readonly to: string;
  /** Rounds in which the plan has this pair. */
  readonly planned: number;
  readonly measured: number;
  readonly received: number;
  readonly firstAttempt: number;
  readonly duplicates: number;
  readonly paths: Readonly<Record<string, number>>;
  readonly latency: LatencyFacts | null;
  readonly failures: readonly PairFailure[];
}

interface PairFailure {
  readonly window: number;
  readonly scenario: string;
  readonly class: string;
  readonly detail: string;
}

function pathCounts(outcomes: readonly PairOutcome[]): Record<string, number> {
  const byPath = Map.groupBy(
    outcomes.flatMap(({ path }) => path ?? []),
    (path) => path,
  );
  return Object.fromEntries([...byPath].map(([path, uses]) => [path, uses.length] as const).toSorted());
}

/** The pairs of the plan in its order, each with what was measured of it in all windows. */
export function pairFacts(proof: Proof): readonly PairFacts[] {
  const rounds = matrixScenarios(proof).length * proof.plan.windows.count;
  const key = (from: string, to: string) => JSON.stringify([from, to]);
  const byPair = Map.groupBy(matrixOutcomes(proof), ({ from, to }) => key(from, to));
  return proof.plan.pairs.map(([from, to]) => {
    const outcomes = byPair.get(key(from, to)) ?? [];
    return {
      from,
      to,
      planned: rounds,
      measured: outcomes.length,
      received: outcomes.filter(({ received }) => received).length,
      firstAttempt: outcomes.filter(({ received, attempts }) => received && attempts === 1).length,
      duplicates: outcomes.reduce((total, { duplicates }) => total + duplicates, 0),
      paths: pathCounts(outcomes),
      latency: latencyOf(outcomes.flatMap(({ latency_ms }) => latency_ms ?? [])),
      failures: outcomes.flatMap(({ window, scenario, failure }) =>
        failure ? [{ window, scenario, class: failure.class, detail: failure.detail }] : [],
      ),
    };
  });
}
