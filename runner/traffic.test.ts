import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSigning } from '../kit/create-signing.ts';
import { until } from '../kit/deadline.ts';
import { sha256Hex } from '../kit/hash.ts';
import type { Signing } from '../kit/signing.ts';
import { NodeHttpError } from '../node/client.ts';
import { operatorId } from './command-envelope.ts';
import { encodeHopDm } from './dm-frames.ts';
import type { Result } from './protocol.ts';
import { health, RigOperator, resultOf } from './rig-operator.ts';
import { type RiggedRunner, RunnerRig } from './runner-rig.ts';

let signing: Signing;
let operator: RigOperator;
let rig: RunnerRig;
let nyc: RiggedRunner;
let sfo: RiggedRunner;

beforeAll(async () => {
  signing = await createSigning();
});
afterAll(() => signing.close());
beforeEach(async () => {
  const signer = await signing.signer(signing.freshSeed());
  operator = new RigOperator(signer);
  const operators = new Map([[operatorId(signer.publicKey), signer.publicKey]]);
  rig = await RunnerRig.start(['nyc', 'sfo'], { operators, signing });
  nyc = rig.runner('nyc');
  sfo = rig.runner('sfo');
});
afterEach(() => rig.stop());

describe('send_dm', () => {
  const payload = Buffer.from('matrix:r-1');
  const params = () => ({
    recipient_aid: sfo.node.agentId,
    payload_b64: payload.toString('base64'),
    request_id: 'r-1',
    digest_marker: 'nyc-sfo',
    anchor_aid: nyc.node.agentId,
  });

  it('sends once and names the path; the receiver reports what came, with its hash', async () => {
    expect(await operator.execute(nyc, 'send_dm', params())).toMatchObject({
      kind: 'send_result',
      request_id: 'r-1',
      outcome: 'ok',
      digest_marker: 'nyc-sfo',
      details: {
        path: 'raw_quic_acked',
        attempts: 1,
        runner_attempts: 1,
        payload_sha256: sha256Hex(payload),
      },
    });
    expect(await resultOf(sfo, ({ kind }) => kind === 'received_dm')).toMatchObject({
      request_id: 'r-1',
      command_id: null,
      details: { sender: nyc.node.agentId, verified: true, payload_sha256: sha256Hex(payload), receipt: 1 },
    });
    expect(sfo.node.directSends).toBe(0); // nobody it trusts asked for a report by direct message
  });

  it('does not hide a failure behind a second call unless asked to', async () => {
    const failure = new NodeHttpError('POST /direct/send', 504, 'timeout', {});
    nyc.node.sendFailures.push(failure);
    expect(await operator.execute(nyc, 'send_dm', params())).toMatchObject({
      outcome: { code: 'timeout' },
      details: { path: null, runner_attempts: 1, http_status: 504, error_code: 'timeout' },
    });
    nyc.node.sendFailures.push(failure);
    expect(await operator.execute(nyc, 'send_dm', { ...params(), max_attempts: 3 })).toMatchObject({
      outcome: 'ok',
      details: { runner_attempts: 2, attempts: 2 },
    });
  });

  it('does not ask again after a 404', async () => {
    const unknown = { ...params(), recipient_aid: 'f'.repeat(64), max_attempts: 3 };
    expect(await operator.execute(nyc, 'send_dm', unknown)).toMatchObject({
      outcome: { code: 'recipient_key_unavailable' },
      details: { runner_attempts: 1, http_status: 404 },
    });
  });

  it('shows every further arrival of the same message', async () => {
    const hop = { requestId: 'r-9', digestMarker: '', anchorAid: '', payload };
    for (let i = 0; i < 3; i += 1) {
      sfo.node.receiveDirect({ from: nyc.node, payload: encodeHopDm(hop), verified: true });
    }
    const third = await resultOf(sfo, ({ kind, details }) => kind === 'received_dm' && details.receipt === 3);
    expect(third.request_id).toBe('r-9');
  });
});

describe('publish and subscribe_collect', () => {
  const burst = { topic: 't', burst_id: 'b1', messages: 40, payload_bytes: 256, delay_ms: 1, seed: 7 };
  const collect = { topic: 't', burst_id: 'b1', expected: 40, max_ms: 5_000, linger_ms: 20 };

  async function startCollecting(change: Partial<typeof collect> = {}): Promise<(result: Result) => boolean> {
    const ready = await operator.execute(sfo, 'subscribe_collect', { ...collect, ...change });
    expect(ready.kind).toBe('collect_ready');
    return ({ kind, command_id }) => kind === 'subscribe_collect_result' && command_id === ready.command_id;
  }

  it('deliver a whole burst, each message once and intact', async () => {
    const final = await startCollecting();
    expect(await operator.execute(nyc, 'publish', burst)).toMatchObject({
      kind: 'publish_result',
      details: { planned: 40, accepted: 40, failed: 0, failures: {}, first_error: null },
    });
    const { details } = await resultOf(sfo, final);
    expect(details).toMatchObject({
      ended_by: 'complete',
      delivered: 40,
      duplicates: 0,
      corrupted: 0,
      foreign: 0,
    });
    expect(details).toMatchObject({ missing_seqs: [], latency_ms: { p50: expect.any(Number) } });
    expect(sfo.node.subscriptions.size).toBe(0);
  });

  it('show loss, doubling, damage and messages of others', async () => {
    let arrivals = 0;
    sfo.node.reception = (payload) => {
      arrivals += 1;
      if (arrivals === 1) return [];
      if (arrivals === 2) return [payload, payload];
      if (arrivals === 3) return [Uint8Array.from(payload, (byte, at) => (at === 200 ? byte ^ 1 : byte))];
      return arrivals === 4 ? [Buffer.from('someone else'), payload] : [payload];
    };
    const final = await startCollecting({ max_ms: 60_000 });
    await operator.execute(nyc, 'publish', burst);
    await operator.execute(sfo, 'collect_stop', { burst_id: 'b1' });
    const { details } = await resultOf(sfo, final);
    expect(details).toMatchObject({
      ended_by: 'stopped',
      delivered: 38,
      duplicates: 1,
      corrupted: 1,
      foreign: 1,
    });
    expect(details.missing_seqs).toEqual([0, 2]);
  });

  it('say when the deadline came first, and that nothing arrived', async () => {
    const final = await startCollecting({ max_ms: 30 });
    const { details } = await resultOf(sfo, final);
    expect(details).toMatchObject({ ended_by: 'deadline', delivered: 0, latency_ms: null });
    expect(details.missing_seqs).toHaveLength(32);
  });

  it('count every refused message with its reason', async () => {
    nyc.node.publishFailures.push(new NodeHttpError('POST /publish', 503, 'overloaded', {}));
    nyc.node.publishFailures.push(new NodeHttpError('POST /publish', 503, 'overloaded', {}));
    const { details } = await operator.execute(nyc, 'publish', burst);
    expect(details).toMatchObject({ accepted: 38, failed: 2, failures: { overloaded: 2 } });
    expect(details.first_error).toMatch(/^overloaded: /);
  });

  it('subscribe again when the node restarted meanwhile, and say so', async () => {
    const final = await startCollecting();
    sfo.node.restart();
    const subscribed = () => (sfo.node.subscriptions.size === 1 ? true : undefined);
    await until('the subscription is renewed', subscribed, { budgetMs: 20_000 });
    await until('the streams stand', async () => (await health(sfo)).streams.events || undefined, {
      budgetMs: 20_000,
    });
    await operator.execute(nyc, 'publish', burst);
    expect((await resultOf(sfo, final)).details).toMatchObject({
      delivered: 40,
      duplicates: 0,
      resubscribed: 1,
    });
  });

  it('refuse what cannot be', async () => {
    const tiny = await operator.execute(nyc, 'publish', { ...burst, payload_bytes: 20 });
    expect(tiny).toMatchObject({ kind: 'error', outcome: { code: 'PARAMS_INVALID' } });
    await startCollecting();
    const again = await operator.execute(sfo, 'subscribe_collect', collect);
    expect(again).toMatchObject({ kind: 'error', outcome: { code: 'COLLECT_RUNNING' } });
    const unknown = await operator.execute(nyc, 'collect_stop', { burst_id: 'b1' });
    expect(unknown).toMatchObject({ kind: 'error', outcome: { code: 'COLLECT_UNKNOWN' } });
  });
});
