import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import { waitForMesh } from '../harness/fleet/mesh-ready.ts';
import { LocalMesh } from '../harness/lab/local-mesh.ts';
import { createOperatorKey } from '../harness/matrix/operator-key.ts';
import { readNodes } from '../harness/telemetry/read-node.ts';
import { createSigning } from '../kit/create-signing.ts';
import { metricAt } from '../proofs/metrics.ts';
import { isSeen } from '../proofs/observation.ts';

// What a node costs in a quiet mesh of six: memory, CPU, and frames per second.

const NODES = 6;
const SETTLE_MS = 10_000;
const QUIET_MS = 40_000; // longer than one anti-entropy period
const CLOCK_TICKS_PER_SECOND = 100; // USER_HZ, fixed on Linux

/** Runs the benchmark and prints its figures. */
export async function run(): Promise<void> {
  const signal = AbortSignal.timeout(180_000);
  const pids = new Map<string, number>();
  const signing = await createSigning();
  const operator = await createOperatorKey(signing);
  await signing.close();
  const mesh = await LocalMesh.start(
    {
      names: Array.from({ length: NODES }, (_, index) => `node${index + 1}`),
      anchor: 'node1',
      bundle: await ensureBundle(),
      networkId: 'bench',
      operatorKeys: [operator.publicKeyBase64],
      basePort: undefined,
      onProcessStart: (node, role, pid) => {
        if (role === 'node') pids.set(node, pid);
      },
    },
    signal,
  );
  try {
    await waitForMesh(mesh.hosts, { budgetMs: 60_000, signal });
    await delay(SETTLE_MS);
    const before = await look(mesh, pids, signal);
    await delay(QUIET_MS);
    const after = await look(mesh, pids, signal);
    console.log(`idle: a quiet mesh of ${NODES} for ${QUIET_MS / 1_000} s`);
    for (const [node, late] of after) {
      const early = before.get(node);
      if (!early) continue;
      const cpu = ((late.cpuMs - early.cpuMs) / QUIET_MS) * 100;
      const frames = (late.frames - early.frames) / (QUIET_MS / 1_000);
      console.log(
        `  ${node}  RSS ${(late.rssBytes / 1_048_576).toFixed(0)} MB (aim 110)   ` +
          `CPU ${cpu.toFixed(2)} % (aim 1)   ${frames.toFixed(2)} frames/s received (aim 5)`,
      );
    }
  } finally {
    await mesh.stop();
  }
}

async function look(mesh: LocalMesh, pids: ReadonlyMap<string, number>, signal: AbortSignal) {
  const readings = await readNodes(mesh.hosts, 5_000, signal);
  const figures = new Map<string, { cpuMs: number; rssBytes: number; frames: number }>();
  for (const { node, documents } of readings) {
    const { gossip } = documents;
    if (!isSeen(gossip)) throw new Error(`${node}: ${gossip.why}`);
    const frames = metricAt({ gossip: gossip.seen.body }, 'gossip.recv_pump.pubsub.produced_total');
    if (!isSeen(frames)) throw new Error(`${node}: ${frames.why}`);
    const pid = pids.get(node);
    figures.set(node, { ...(await processFigures(pid ?? 0)), frames: frames.seen });
  }
  return figures;
}

async function processFigures(pid: number): Promise<{ cpuMs: number; rssBytes: number }> {
  const columns = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  const ticks = Number(columns[11]) + Number(columns[12]);
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const rssKb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  return { cpuMs: (ticks / CLOCK_TICKS_PER_SECOND) * 1_000, rssBytes: rssKb * 1_024 };
}
