import { UsageError } from '../../kit/errors.ts';
import { HARMLESS } from '../../proofs/safety-schema.ts';
import { scenarioNamed } from '../../scenarios/registry.ts';
import { harmOf } from '../../scenarios/scenario.ts';
import { ALLOW_FLAGS, refusalOf } from '../faults/safety-nets.ts';
import type { RunOptions } from './run-options.ts';

/**
 * Refuses, before anything is started, a run that asks for harm without leave, that does not say what ends it, or that
 * plans a fault which a safety net forbids.
 * @throws UsageError `NOT_ALLOWED`, `NO_STOP_CONDITION`, `SAFETY_NET`, each naming the flag
 */
export function checkSafety({ scenarios, nodes, anchor, safety = HARMLESS }: RunOptions): void {
  const fleet = { anchor, nodes: nodes.map(({ name }) => name) };
  for (const request of scenarios) {
    const scenario = scenarioNamed(request.name);
    const { name, options, plannedFaults } = scenario;
    const destructive = harmOf(scenario, request.options);
    if (destructive !== null && !safety.allowed.includes(destructive)) {
      const flag = ALLOW_FLAGS[destructive];
      throw new UsageError(
        'NOT_ALLOWED',
        `--scenarios: ${name} does harm (${destructive}); allow it with ${flag}`,
        {
          details: { scenario: name, harm: destructive, flag },
        },
      );
    }
    if (destructive !== null && safety.stop_on === null) {
      throw new UsageError(
        'NO_STOP_CONDITION',
        `--stop-on: ${name} does harm, so say what ends the run early: --stop-on none, or for example --stop-on lost-node,no-go`,
        { details: { scenario: name, flag: '--stop-on' } },
      );
    }
    const parsed = options.safeParse(request.options);
    if (!parsed.success) continue; // told with its field when the plan is made
    for (const fault of plannedFaults?.(fleet, parsed.data) ?? []) {
      const refusal = refusalOf(fault, [], fleet, safety);
      if (refusal !== null) {
        throw new UsageError(
          'SAFETY_NET',
          `--scenarios: ${name}: ${refusal.why}; ${refusal.flag} would allow it`,
          {
            details: { scenario: name, flag: refusal.flag },
          },
        );
      }
    }
  }
}
