import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSigning } from '../../kit/create-signing.ts';
import { until } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { Signing } from '../../kit/signing.ts';
import { waitForMesh } from '../fleet/mesh-ready.ts';
import { LocalMesh } from '../lab/local-mesh.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';
import { type LoopbackTarget, openLoopbackControl } from './control-loopback.ts';
import { openMeshControl } from './control-mesh.ts';
import { createOperatorKey, type OperatorKey } from './operator-key.ts';

const ROOT = join(import.meta.dirname, '../..');
const BUDGET = { budgetMs: 15_000 };
const SOURCES = {
  nodeEntry: join(ROOT, 'node/main.ts'),
  runnerEntry: join(ROOT, 'runner/main.ts'),
  sha256: sha256Hex('sources'),
};

let signing: Signing;
let operator: OperatorKey;
let mesh: LocalMesh;
let targets: readonly LoopbackTarget[];

beforeAll(async () => {
  const signal = AbortSignal.timeout(60_000);
  signing = await createSigning();
  operator = await createOperatorKey(signing);
  mesh = await LocalMesh.start(
    {
      names: ['nyc', 'sfo'],
      anchor: 'nyc',
      bundle: SOURCES,
      networkId: 'control-processes',
      operatorKeys: [operator.publicKeyBase64],
      basePort: undefined,
    },
    signal,
  );
  await waitForMesh(mesh.hosts, { budgetMs: 30_000, signal });
  targets = await Promise.all(
    mesh.hosts.map(async ({ name, node, runner }) => {
      const { agent_id, machine_id } = await node.agent({ signal });
      return { node: name, agentId: agent_id, machineId: machine_id, ...runner };
    }),
  );
}, 90_000);
afterAll(async () => {
  await mesh?.stop();
  await signing?.close();
}, 30_000);

async function openChannel(kind: string): Promise<ControlChannel> {
  if (kind === 'loopback') return openLoopbackControl(targets, { operator });
  const anchor = { anchor: mesh.anchor.node, anchorAid: agentOf('nyc'), anchorNode: 'nyc' };
  return await openMeshControl(targets, { ...anchor, operator }, BUDGET);
}

function agentOf(name: string): string {
  return targets.find(({ node }) => node === name)?.agentId ?? '';
}

describe.each(['loopback', 'mesh'])('real nodes and runners under %s control', (kind) => {
  it('send both ways over an acknowledged QUIC path at the first attempt, and receive intact', async () => {
    const channel = await openChannel(kind);
    const receipts: RunnerResult[] = [];
    channel.onResult((result) => result.kind === 'received_dm' && receipts.push(result));
    try {
      await Promise.all(['nyc', 'sfo'].map((node) => channel.call(node, 'discover', {}, BUDGET)));
      const pairs = [
        ['nyc', 'sfo'],
        ['sfo', 'nyc'],
      ] as const;
      for (const [from, to] of pairs) {
        const requestId = `${kind}-${from}-${to}`;
        const payload = Buffer.from(`matrix:${requestId}`);
        const params = {
          recipient_aid: agentOf(to),
          payload_b64: payload.toString('base64'),
          request_id: requestId,
          anchor_aid: agentOf('nyc'),
        };
        expect(await channel.call(from, 'send_dm', params, BUDGET)).toMatchObject({
          outcome: 'ok',
          node: from,
          details: { path: 'raw_quic_acked', attempts: 1, runner_attempts: 1 },
        });
        const isIt = (result: RunnerResult) => result.request_id === requestId;
        const receipt = await until('the receipt', () => receipts.find(isIt), BUDGET);
        expect(receipt).toMatchObject({
          node: to,
          details: { sender: agentOf(from), verified: true, payload_sha256: sha256Hex(payload), receipt: 1 },
        });
      }
      expect(receipts).toHaveLength(2);
    } finally {
      await channel.close();
    }
  });

  it('carry a burst to a subscriber on every node, the publisher included', async () => {
    const channel = await openChannel(kind);
    try {
      const burst = { topic: `burst.${kind}`, burst_id: `burst.${kind}` };
      const collections = ['nyc', 'sfo'].map((node) => {
        const ready = Promise.withResolvers<void>();
        const params = { ...burst, expected: 50, max_ms: 10_000 };
        const onProgress = () => ready.resolve();
        const final = channel.call(node, 'subscribe_collect', params, { ...BUDGET, onProgress });
        final.catch(ready.reject);
        return { ready: ready.promise, final };
      });
      await Promise.all(collections.map(({ ready }) => ready));
      const params = { ...burst, messages: 50, payload_bytes: 4_096, delay_ms: 5, seed: 1 };
      const published = await channel.call('sfo', 'publish', params, BUDGET);
      expect(published.details).toMatchObject({ accepted: 50, failed: 0 });
      for (const { final } of collections) {
        expect((await final).details).toMatchObject({
          delivered: 50,
          duplicates: 0,
          corrupted: 0,
          missing_seqs: [],
        });
      }
    } finally {
      await channel.close();
    }
  });
});
