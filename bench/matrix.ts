import { ensureBundle } from '../harness/deploy/bundle.ts';
import { waitForMesh } from '../harness/fleet/mesh-ready.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import { discoverRunners, identifyNodes } from '../harness/matrix/identify.ts';
import { openControlChannel } from '../harness/matrix/open-control-channel.ts';
import { createOperatorKey } from '../harness/matrix/operator-key.ts';
import { runPhaseA } from '../harness/matrix/phase-a.ts';
import { readNodes } from '../harness/telemetry/read-node.ts';
import { createSigning } from '../kit/create-signing.ts';
import { allDirectedPairs, type Plan } from '../proofs/plan-schema.ts';

// Wall time of a 30-pair Phase A and of one look at all documents of six nodes, on a real local mesh.

const NODES = 6;
const ROUNDS = 10;

/** Runs the benchmark and prints its figures. */
export async function run(): Promise<void> {
  const signal = AbortSignal.timeout(120_000);
  const names = Array.from({ length: NODES }, (_, index) => `node${index + 1}`);
  const bundle = await ensureBundle();
  await using undo = new AsyncDisposableStack();
  const signing = await createSigning();
  undo.defer(() => signing.close());
  const operator = await createOperatorKey(signing);
  const mesh = await LocalMesh.start(
    {
      names,
      anchor: 'node1',
      bundle,
      networkId: 'bench',
      operatorKeys: [operator.publicKeyBase64],
      basePort: undefined,
    },
    signal,
  );
  undo.defer(() => mesh.stop());
  await waitForMesh(mesh.hosts, { budgetMs: 60_000, signal });
  const identities = new Map(
    (await identifyNodes(mesh.hosts, signal)).map((node) => [
      node.node,
      { agentId: node.agent_id, machineId: node.machine_id },
    ]),
  );
  const channel = await openControlChannel('loopback', { fleet: mesh, identities, operator }, signal);
  undo.defer(() => channel.close());
  await discoverRunners(channel, identities, { budgetMs: 30_000, signal });

  const plan: Pick<Plan, 'pairs' | 'expect_path' | 'anchor'> = {
    pairs: allDirectedPairs(names),
    expect_path: 'raw_quic_acked',
    anchor: 'node1',
  };
  const phaseMs: number[] = [];
  const sampleMs: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const startMs = performance.now();
    const outcomes = await runPhaseA(
      { plan, identities, channel, delivered: () => {} },
      { window: round, scenario: 'bench', settleMs: 10_000 },
      signal,
    );
    phaseMs.push(performance.now() - startMs);
    const lost = outcomes.filter(({ failure }) => failure !== null);
    if (lost.length > 0)
      throw new Error(`round ${round}: ${lost.map(({ failure }) => failure?.detail).join('; ')}`);
    const sampleStartMs = performance.now();
    await readNodes(mesh.hosts, 5_000, signal);
    sampleMs.push(performance.now() - sampleStartMs);
  }
  console.log(`matrix: ${plan.pairs.length} pairs, ${ROUNDS} rounds on a local mesh of ${NODES}`);
  console.log(`  Phase A           ${figures(phaseMs)}   (aim: under 2000 ms)`);
  console.log(`  sampling ${NODES} nodes  ${figures(sampleMs)}   (aim: under 150 ms)`);
}

function figures(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(0).padStart(5);
  return `min ${at(0)} ms  median ${at(0.5)} ms  max ${at(1)} ms`;
}
