import { ensureBundle } from '../harness/deploy/bundle.ts';
import { waitForMesh } from '../harness/fleet/mesh-ready.ts';
import type { LinkPlan } from '../harness/lab/links/link-plan.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import { createOperatorKey } from '../harness/matrix/operator-key.ts';
import { createSigning } from '../kit/create-signing.ts';

const FORM_BUDGET_MS = 60_000;

/** A mesh of real nodes behind `links`, started without a run, once every node has a live link to each of the others. */
export async function startLinkedMesh(names: readonly string[], links: LinkPlan): Promise<LocalMesh> {
  const signal = AbortSignal.timeout(FORM_BUDGET_MS);
  const signing = await createSigning();
  const operator = await createOperatorKey(signing);
  await signing.close();
  const mesh = await LocalMesh.start(
    {
      names,
      anchor: names[0] ?? '',
      bundle: await ensureBundle(),
      networkId: 'links',
      operatorKeys: [operator.publicKeyBase64],
      basePort: undefined,
      links,
    },
    signal,
  );
  try {
    await waitForMesh(mesh.hosts, { budgetMs: FORM_BUDGET_MS, signal });
    return mesh;
  } catch (error) {
    await mesh.stop();
    throw error;
  }
}
