import { scenariosNamedBy } from '../../gates/parse-gate.ts';
import { UsageError } from '../../kit/errors.ts';
import { SCENARIO_NAMES, scenarioNamed } from '../../scenarios/registry.ts';
import type { LoadedGate } from './load-gate.ts';

/**
 * Refuses a gate that names a scenario which no version of meshproof knows: such an objective would look at nothing.
 * @throws UsageError `GATE_UNKNOWN_SCENARIO`
 */
export function checkGateKnown(loaded: LoadedGate): void {
  refuseUnknown(
    loaded,
    scenariosNamedBy(loaded.gate).find((name) => !SCENARIO_NAMES.includes(name)),
  );
}

/**
 * Refuses a run that could only end INCONCLUSIVE: one whose gate names a scenario that does not exist, or requires one
 * that is not asked for.
 * @throws UsageError `UNKNOWN_SCENARIO`, `DUPLICATE_SCENARIO`, `GATE_UNKNOWN_SCENARIO`, `GATE_NEEDS_SCENARIO`
 */
export function checkGateFits(loaded: LoadedGate, scenarios: readonly string[]): void {
  const { gate } = loaded;
  for (const name of scenarios) scenarioNamed(name);
  const twice = scenarios.find((name, index) => scenarios.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new UsageError('DUPLICATE_SCENARIO', `--scenarios: "${twice}" is named twice`, {
      details: { scenario: twice },
    });
  }
  checkGateKnown(loaded);
  const lacking = gate.requiresScenarios.filter((name) => !scenarios.includes(name));
  if (lacking.length > 0) {
    const all = [...scenarios, ...lacking].join(',');
    throw new UsageError(
      'GATE_NEEDS_SCENARIO',
      `--scenarios: gate ${gate.name} requires ${lacking.join(', ')}, so this run could never be a GO; use --scenarios ${all} or another --gate`,
      { details: { gate: gate.name, lacking } },
    );
  }
}

function refuseUnknown({ gate, source }: LoadedGate, unknown: string | undefined): void {
  if (unknown === undefined) return;
  const objective = gate.objectives.find((candidate) =>
    [...(candidate.scenarios ?? []), ...candidate.exceptIn, ...candidate.exemptTargetsOf].includes(unknown),
  );
  const place = objective === undefined ? 'requires_scenarios' : `objective "${objective.name}"`;
  throw new UsageError(
    'GATE_UNKNOWN_SCENARIO',
    `${source}: ${place} names scenario "${unknown}"; known: ${SCENARIO_NAMES.join(', ')}`,
    { details: { file: source, objective: objective?.name ?? null, scenario: unknown } },
  );
}
