import { biteOf } from '../proofs/bite.ts';
import type { Finding } from '../proofs/evidence.ts';
import { type FaultHistory, unprovenBecause } from '../proofs/fault-history.ts';
import { missing, seen } from '../proofs/observation.ts';
import { listed } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import { spansOf } from './metric.ts';

/** Name under which a verdict says whether the faults were real and are over; no definition can leave it out. */
const FAULT_OBJECTIVE = 'every fault took hold and is gone';

function nameOf({ requested: { fault_id: id, kind, targets } }: FaultHistory): string {
  return `fault ${id} (${kind} of ${listed(targets)})`;
}

/** All that keeps a fault from having been what it was meant to be. */
function shortcomings(fault: FaultHistory): string[] {
  const { applied, lapsed } = fault;
  const of = nameOf(fault);
  const dirt = unprovenBecause(fault);
  const left = dirt === null ? [] : [`${of} is not proven gone: ${dirt}; look at its hosts and heal them`];
  if (applied === null) return [`${of} was never applied; a run in which it stands would decide it`, ...left];
  const bite = biteOf(fault);
  const bitten =
    bite.bites === 'yes'
      ? []
      : [
          bite.bites === 'no'
            ? `${of} did not bite: ${bite.why}; a run in which it does would decide it`
            : `${of} cannot be told to have bitten: ${bite.why}; a run that measures it would decide it`,
        ];
  const lost = lapsed.map(
    ({ node, why }) => `${of} lost its hold at ${node}: ${why}; a run in which it lasts would decide it`,
  );
  return [...left, ...lost, ...bitten];
}

/**
 * Whether the faults of each scenario were real: one finding per window and scenario that made some, or was planned to. A
 * fault that did not bite, was never applied, lapsed, or could not be measured proves nothing about the mesh, and one
 * that is not proven gone may still do harm: all INCONCLUSIVE.
 */
export function judgeFaults(index: EvidenceIndex): readonly Finding[] {
  const destructive = index.evidence.plan.scenarios.flatMap((one) =>
    one.destructive === null ? [] : [one.name],
  );
  return spansOf(index, index.scenarios).flatMap(({ window, scenario }): Finding[] => {
    const faults = index.faults.at(window, scenario);
    const isRan = index
      .of('scenario_finished')
      .some((one) => one.window === window && one.scenario === scenario && one.outcome === 'ran');
    if (faults.length === 0 && !(isRan && destructive.includes(scenario))) return [];
    const problems =
      faults.length === 0
        ? [`${scenario} of window ${window} made no fault; a run in which it does would decide it`]
        : faults.flatMap(shortcomings);
    const at = {
      objective: FAULT_OBJECTIVE,
      scope: 'fleet' as const,
      subject: 'fleet',
      window,
      scenario,
      limit: { max: 0 },
    };
    if (problems.length > 0) {
      const reason = listed(problems);
      return [{ ...at, verdict: 'INCONCLUSIVE', value: missing('absent', reason), margin: null, reason }];
    }
    const reason = `${listed(faults.map(nameOf))}: felt where it was meant to be, and proven gone`;
    return [{ ...at, verdict: 'GO', value: seen(0), margin: 0, reason }];
  });
}
