import type { Verdict } from '../proofs/evidence.ts';
import { combine } from './combine.ts';
import { judgeControlPlane } from './control-plane.ts';
import { type Evidence, indexEvidence } from './evidence-index.ts';
import { judgeFaults } from './fault-proof.ts';
import type { Gate } from './gate-schema.ts';
import { judgeHosts } from './host-evidence.ts';
import { judgeObjective } from './objectives.ts';
import { judgeCompletion } from './plan-completion.ts';
import { findUnjudged } from './unjudged.ts';

/**
 * Judges evidence by a gate. Pure: the same evidence and gate give the same verdict for ever, whoever asks. Every
 * planned window, node and pair ends in a finding; what was not seen is INCONCLUSIVE at best.
 */
export function judge(evidence: Evidence, gate: Gate): Verdict {
  const index = indexEvidence(evidence);
  const objectives = gate.objectives.flatMap((objective) => judgeObjective(index, objective));
  const unjudged = findUnjudged(index, objectives);
  const findings = [
    ...judgeCompletion(index, gate, objectives.length, unjudged),
    ...judgeControlPlane(index),
    ...judgeFaults(index),
    ...judgeHosts(index),
    ...objectives,
  ];
  return {
    gate: gate.name,
    gate_sha256: gate.sha256,
    ...combine(findings, index.windows, unjudged.findings),
    findings,
  };
}
