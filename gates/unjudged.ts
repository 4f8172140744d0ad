import type { Finding } from '../proofs/evidence.ts';
import type { EvidenceIndex } from './evidence-index.ts';

/** What nobody could judge because the scenario that it looks at, or all of its window, did not run. */
export interface Unjudged {
  /** Told in one by the finding on the plan; reasons need not repeat each. */
  readonly findings: ReadonlySet<Finding>;
  /** Objectives on that scenario, or (`scenario` null) on a window that never began. */
  count(window: number, scenario: string | null): number;
}

const key = (window: number, scenario: string | null) => JSON.stringify([window, scenario]);

/**
 * The INCONCLUSIVE ones of `findings` that stand where nothing ran. Each of these places has a finding of its own on the
 * plan, which is not GO either. A scenario that failed did run: what is said of it stays.
 */
export function findUnjudged(index: EvidenceIndex, findings: readonly Finding[]): Unjudged {
  const begun = new Set(index.of('window_started').map(({ window }) => window));
  const ran = new Set(
    index
      .of('scenario_finished')
      .filter(({ outcome }) => outcome !== 'not_run')
      .map(({ window, scenario }) => key(window, scenario)),
  );
  const placeOf = ({ window, scenario, verdict }: Finding): string | null => {
    if (window === null || verdict !== 'INCONCLUSIVE') return null;
    if (!begun.has(window)) return key(window, null);
    return scenario === null || ran.has(key(window, scenario)) ? null : key(window, scenario);
  };
  const byPlace = Map.groupBy(findings, placeOf);
  byPlace.delete(null);
  return {
    findings: new Set([...byPlace.values()].flat()),
    count: (window, scenario) =>
      new Set((byPlace.get(key(window, scenario)) ?? []).map(({ objective }) => objective)).size,
  };
}
