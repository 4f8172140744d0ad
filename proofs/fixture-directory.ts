import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { planText } from './fixture.ts';
import { encodeLine } from './journal-line.ts';
import { isSeen } from './observation.ts';
import { PROOF_LAYOUT } from './proof-directory.ts';
import type { Proof } from './read-proof.ts';

/** Lays a fixture proof down in `dir` as a run would have left it, and gives the proof with that place. */
export async function writeFixtureProof(dir: string, proof: Proof): Promise<Proof> {
  await mkdir(dir, { recursive: true });
  await writeFile(
    join(dir, PROOF_LAYOUT.journal),
    Buffer.concat(proof.entries.map((entry) => encodeLine(entry).line)),
  );
  await writeFile(join(dir, PROOF_LAYOUT.plan), planText(proof.plan));
  await writeFile(join(dir, PROOF_LAYOUT.gate), proof.gateText);
  for (const [file, observed] of proof.documents) {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    if (isSeen(observed)) await writeFile(join(dir, file), JSON.stringify(observed.seen));
  }
  return { ...proof, dir };
}
