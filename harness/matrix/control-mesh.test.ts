import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSigning } from '../../kit/create-signing.ts';
import { until } from '../../kit/deadline.ts';
import type { Signing } from '../../kit/signing.ts';
import { NodeHttpError } from '../../node/client.ts';
import { encodeResultDm } from '../../runner/dm-frames.ts';
import type { FakeNode } from '../../runner/fake-node.ts';
import type { Result } from '../../runner/protocol.ts';
import { RunnerRig } from '../../runner/runner-rig.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';
import { openMeshControl } from './control-mesh.ts';
import { createOperatorKey, type OperatorKey } from './operator-key.ts';

const BUDGET = { budgetMs: 20_000 };
let signing: Signing;
let operator: OperatorKey;
let rig: RunnerRig;
let channel: ControlChannel;
let anchor: FakeNode;
let sfo: FakeNode;

beforeAll(async () => {
  signing = await createSigning();
  operator = await createOperatorKey(signing);
});
afterAll(() => signing.close());
beforeEach(async () => {
  const operators = new Map([[operator.id, Buffer.from(operator.publicKeyBase64, 'base64')]]);
  rig = await RunnerRig.start(['nyc', 'sfo'], { operators, signing });
  anchor = rig.runner('nyc').node;
  sfo = rig.runner('sfo').node;
  const targets = [...rig.runners.values()].map(({ name, node }) => ({
    node: name,
    agentId: node.agentId,
    machineId: node.machineId,
  }));
  const modules = { anchor, anchorAid: anchor.agentId, anchorNode: 'nyc', operator };
  channel = await openMeshControl(targets, modules, BUDGET);
});
afterEach(async () => {
  await channel.close();
  await rig.stop();
});

function forgedResult(change: Partial<Result> = {}): Result {
  return {
    kind: 'received_dm',
    command_id: null,
    request_id: 'r-1',
    outcome: 'ok',
    details: {},
    node: 'sfo',
    agent_id: sfo.agentId,
    machine_id: sfo.machineId,
    ts_ms: 1,
    digest_marker: null,
    boot_id: 'forged',
    seq: 1,
    results_dropped_total: 0,
    ...change,
  };
}

describe('the mesh control channel', () => {
  it("reaches a far runner, and the anchor's own by loopback", async () => {
    for (const name of ['nyc', 'sfo']) {
      const { node } = rig.runner(name);
      expect(await channel.call(name, 'discover', {}, BUDGET)).toMatchObject({
        kind: 'discover_reply',
        node: name,
        sender: { agent_id: node.agentId, machine_id: node.machineId, verified: true },
      });
    }
  });

  it('brings receipts of test traffic back through the anchor that the commands named', async () => {
    await channel.call('nyc', 'noop_ack', {}, BUDGET);
    await channel.call('sfo', 'noop_ack', {}, BUDGET);
    const receipts: RunnerResult[] = [];
    channel.onResult((result) => result.kind === 'received_dm' && receipts.push(result));
    const params = {
      recipient_aid: sfo.agentId,
      payload_b64: Buffer.from('hello').toString('base64'),
      request_id: 'r-7',
      anchor_aid: anchor.agentId,
    };
    expect(await channel.call('nyc', 'send_dm', params, BUDGET)).toMatchObject({
      kind: 'send_result',
      outcome: 'ok',
    });
    await until('the receipt', () => receipts[0], BUDGET);
    expect(receipts).toMatchObject([{ node: 'sfo', request_id: 'r-7', details: { sender: anchor.agentId } }]);
  });

  it('ignores and counts forged results: of a stranger, of another runner, unverified, or misnamed', async () => {
    const results: RunnerResult[] = [];
    channel.onResult((result) => results.push(result));
    const stranger = rig.mesh.add('stranger');
    const send = (from: FakeNode, result: Result, verified = true) =>
      anchor.receiveDirect({ from, payload: encodeResultDm(JSON.stringify(result)), verified });
    send(stranger, forgedResult());
    send(anchor, forgedResult({ seq: 2 }));
    send(sfo, forgedResult({ seq: 3 }), false);
    send(sfo, forgedResult({ seq: 4, agent_id: stranger.agentId }));
    send(stranger, forgedResult({ seq: 5, node: 'stranger' }));
    anchor.receiveDirect({ from: sfo, payload: encodeResultDm('{"kind":'), verified: true });
    await until('all are judged', () => channel.tally().get('sfo')?.malformed === 1 || undefined, BUDGET);
    expect(results).toEqual([]);
    expect(channel.tally().get('sfo')).toMatchObject({ results: 0, forged: 4, malformed: 1 });
    expect(channel.tally().get('nyc')).toMatchObject({ results: 0, forged: 1, malformed: 0 });
  });

  it('passes on a result once that came twice', async () => {
    const results: RunnerResult[] = [];
    channel.onResult((result) => results.push(result));
    const payload = encodeResultDm(JSON.stringify(forgedResult({ boot_id: 'genuine' })));
    anchor.receiveDirect({ from: sfo, payload, verified: true });
    anchor.receiveDirect({ from: sfo, payload, verified: true });
    await until(
      'the double is noticed',
      () => channel.tally().get('sfo')?.doubled === 1 || undefined,
      BUDGET,
    );
    expect(results).toHaveLength(1);
  });

  it('hands a command over again after a passing failure, and it still runs once', async () => {
    anchor.sendFailures.push(new NodeHttpError('POST /direct/send', 504, 'timeout', {}));
    expect(await channel.call('sfo', 'noop_ack', {}, BUDGET)).toMatchObject({ kind: 'ack' });
    expect(channel.tally().get('sfo')).toMatchObject({ results: 1 });
  });

  it('says at once when the anchor cannot reach the agent at all', async () => {
    anchor.sendFailures.push(new NodeHttpError('POST /direct/send', 404, 'recipient_key_unavailable', {}));
    await expect(channel.call('sfo', 'noop_ack', {}, BUDGET)).rejects.toMatchObject({
      code: 'COMMAND_DISPATCH_FAILED',
      details: { node: 'sfo', anchor: 'nyc', status: 404, reason: 'recipient_key_unavailable' },
    });
  });

  it('ends an attempt to open at once when the run is broken off, and outlives that once it stands', async () => {
    const breakOff = new AbortController();
    const asked = Promise.withResolvers<void>();
    const silent = {
      directSend: anchor.directSend.bind(anchor),
      directEvents: ({ signal }: { readonly signal?: AbortSignal } = {}) => {
        asked.resolve();
        return new Promise<never>((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason));
        });
      },
    };
    const targets = [{ node: 'nyc', agentId: anchor.agentId, machineId: anchor.machineId }];
    const modules = { anchorAid: anchor.agentId, anchorNode: 'nyc', operator };
    const options = { budgetMs: 60_000, signal: breakOff.signal };
    const opened = await openMeshControl(targets, { ...modules, anchor }, options);
    const opening = openMeshControl(targets, { ...modules, anchor: silent }, options);
    const reason = new Error('Ctrl-C');
    opening.catch(() => {});
    await asked.promise;
    breakOff.abort(reason);
    await expect(opening).rejects.toBe(reason);
    expect(await opened.call('nyc', 'noop_ack', {}, BUDGET)).toMatchObject({ kind: 'ack' });
    await opened.close();
  });

  it("attaches again when the anchor's stream ends", async () => {
    anchor.breakStreams();
    await until(
      'the stream stands again',
      () => channel.tally().get('nyc')?.reconnects === 1 || undefined,
      BUDGET,
    );
    expect(await channel.call('sfo', 'noop_ack', {}, BUDGET)).toMatchObject({ kind: 'ack' });
  });
});
