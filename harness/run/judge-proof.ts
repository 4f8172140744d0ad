import { judge } from '../../gates/judge.ts';
import type { Verdict } from '../../proofs/evidence.ts';
import { type Proof, readProof } from '../../proofs/read-proof.ts';
import { type LoadedGate, parseLoaded } from './load-gate.ts';

/** A proof judged by a gate. */
export interface JudgedProof {
  readonly proof: Proof;
  readonly verdict: Verdict;
}

/**
 * Judges the proof in `dir` by `gate`, or by the gate that it was sealed with. Nothing but the files in the directory
 * is read, so the verdict is the same wherever and whenever it is made.
 * @throws MeshproofError when the directory is no proof, or its journal, plan or gate were changed
 */
export async function judgeProof(dir: string, gate?: LoadedGate): Promise<JudgedProof> {
  const proof = await readProof(dir);
  const by = gate ?? parseLoaded(proof.gateText, `${dir}/gate.toml`);
  const verdict = judge({ ...proof, torn: proof.torn !== null }, by.gate);
  return { proof, verdict };
}
