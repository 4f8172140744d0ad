import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSigning } from '../../kit/create-signing.ts';
import { until } from '../../kit/deadline.ts';
import type { Signing } from '../../kit/signing.ts';
import { RunnerRig } from '../../runner/runner-rig.ts';
import type { ControlChannel, RunnerResult } from './control-channel.ts';
import { type LoopbackTarget, openLoopbackControl } from './control-loopback.ts';
import { createOperatorKey, type OperatorKey } from './operator-key.ts';

const BUDGET = { budgetMs: 20_000 };
let signing: Signing;
let operator: OperatorKey;
let rig: RunnerRig;
let channel: ControlChannel | undefined;

beforeAll(async () => {
  signing = await createSigning();
  operator = await createOperatorKey(signing);
});
afterAll(() => signing.close());
beforeEach(async () => {
  const operators = new Map([[operator.id, Buffer.from(operator.publicKeyBase64, 'base64')]]);
  rig = await RunnerRig.start(['nyc', 'sfo'], { operators, signing });
});
afterEach(async () => {
  await channel?.close();
  await rig.stop();
});

function targetOf(name: string, change: Partial<LoopbackTarget> = {}): LoopbackTarget {
  const { node, baseUrl, token } = rig.runner(name);
  return { node: name, agentId: node.agentId, machineId: node.machineId, baseUrl, token, ...change };
}

function open(targets: readonly LoopbackTarget[], key = operator): ControlChannel {
  channel = openLoopbackControl(targets, { operator: key });
  return channel;
}

/** A way to the runner that can be cut under the feet of whatever goes over it. */
async function cuttable(port: number) {
  const open = new Set<Socket>();
  const proxy = createTcp((inward) => {
    const outward = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [inward, outward],
      [outward, inward],
    ] as const) {
      open.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port: own } = proxy.address() as AddressInfo;
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  const close = () => {
    proxy.close();
    cut();
  };
  const reopen = () => new Promise<void>((resolve) => proxy.listen(own, '127.0.0.1', resolve));
  return { baseUrl: `http://127.0.0.1:${own}`, cut, close, reopen, proxy };
}

async function answering(status: number, body: string): Promise<{ server: Server; baseUrl: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('the loopback control channel', () => {
  it('calls a runner and gives its answer with the sender', async () => {
    const { agentId, machineId } = targetOf('sfo');
    expect(await open([targetOf('nyc'), targetOf('sfo')]).call('sfo', 'discover', {}, BUDGET)).toMatchObject({
      kind: 'discover_reply',
      node: 'sfo',
      sender: { agent_id: agentId, machine_id: machineId, verified: true },
    });
  });

  it('passes progress on and resolves with the final result', async () => {
    const params = { topic: 't', burst_id: 'b', expected: 1, max_ms: 10 };
    const progress: string[] = [];
    const onProgress = ({ kind }: RunnerResult) => progress.push(kind);
    const final = await open([targetOf('nyc')]).call('nyc', 'subscribe_collect', params, {
      ...BUDGET,
      onProgress,
    });
    expect(progress).toEqual(['collect_ready']);
    expect(final).toMatchObject({
      kind: 'subscribe_collect_result',
      details: { delivered: 0, ended_by: 'deadline' },
    });
  });

  it('tells a refusal, a silent runner, an absent one and an unknown one apart', async () => {
    const other = await createOperatorKey(signing);
    const refusing = open([targetOf('nyc')], other).call('nyc', 'discover', {}, BUDGET);
    await expect(refusing).rejects.toMatchObject({
      code: 'COMMAND_REFUSED',
      details: { reason: 'OPERATOR_UNKNOWN' },
    });
    await channel?.close();

    const params = { topic: 't', burst_id: 'b', expected: 1, max_ms: 5_000 };
    const silent = open([targetOf('nyc')]).call('nyc', 'subscribe_collect', params, { budgetMs: 3_000 });
    await expect(silent).rejects.toMatchObject({ code: 'RESULT_TIMEOUT', details: { node: 'nyc' } });
    await expect(channel?.call('lon', 'discover', {}, BUDGET)).rejects.toMatchObject({
      code: 'NODE_UNKNOWN',
    });
    await channel?.close();

    const absent = open([targetOf('nyc', { baseUrl: 'http://127.0.0.1:9' })]).send(
      'nyc',
      'discover',
      {},
      { budgetMs: 300 },
    );
    await expect(absent).rejects.toMatchObject({ code: 'COMMAND_DISPATCH_FAILED', details: { node: 'nyc' } });
  });

  it('loses and doubles nothing while its connections are cut again and again', async () => {
    const way = await cuttable(Number(new URL(rig.runner('nyc').baseUrl).port));
    try {
      const control = open([targetOf('nyc', { baseUrl: way.baseUrl })]);
      const seqs: number[] = [];
      control.onResult(({ kind, seq }) => kind === 'ack' && seqs.push(seq));
      for (let round = 0; round < 6; round += 1) {
        const sends = Array.from({ length: 10 }, () => control.send('nyc', 'noop_ack', {}, BUDGET));
        way.cut();
        await Promise.all(sends);
        way.cut();
      }
      await until('all results', () => (seqs.length >= 60 ? true : undefined), BUDGET);
      await control.call('nyc', 'discover', {}, BUDGET);
      expect(seqs).toHaveLength(60);
      expect(new Set(seqs).size).toBe(60);
      const tally = control.tally().get('nyc');
      expect(tally).toMatchObject({ lost: 0, doubled: 0, forged: 0, malformed: 0 });
      expect(tally?.reconnects).toBeGreaterThan(0);
    } finally {
      way.cut();
      way.proxy.close();
    }
  });

  it('sees a runner restart and goes on with the new process', async () => {
    const control = open([targetOf('nyc')]);
    await control.call('nyc', 'noop_ack', {}, BUDGET);
    await rig.runner('nyc').restart();
    expect(await control.call('nyc', 'noop_ack', {}, BUDGET)).toMatchObject({ kind: 'ack' });
    expect(control.tally().get('nyc')).toMatchObject({ restarts: 1, lost: 0 });
  });

  it('counts results that gave way while its way was cut, and none from before it came', async () => {
    const nyc = rig.runner('nyc');
    const flood = () => {
      for (let i = 0; i < 1_100; i += 1) {
        nyc.node.receiveDirect({ from: nyc.node, payload: Buffer.from('x0xtest|hop|r|||'), verified: true });
      }
    };
    const first = openLoopbackControl([targetOf('nyc')], { operator });
    await first.call('nyc', 'noop_ack', {}, BUDGET);
    await first.close();
    flood();
    const way = await cuttable(Number(new URL(nyc.baseUrl).port));
    try {
      const late = open([targetOf('nyc', { baseUrl: way.baseUrl })]);
      const receipts: RunnerResult[] = [];
      late.onResult((result) => result.kind === 'received_dm' && receipts.push(result));
      const last = (receipt: number) =>
        until(
          `receipt ${receipt}`,
          () => receipts.find(({ details }) => details.receipt === receipt),
          BUDGET,
        );
      await last(1_100);
      expect(late.tally().get('nyc')?.lost).toBe(0);
      way.close();
      flood();
      await way.reopen();
      await last(2_200);
      expect(late.tally().get('nyc')?.lost).toBe(1_100 - 1_024);
    } finally {
      way.cut();
      way.proxy.close();
    }
  });

  it('ignores and counts results of another identity than the planned one', async () => {
    const control = open([targetOf('nyc', { machineId: 'f'.repeat(64) })]);
    await expect(control.call('nyc', 'discover', {}, { budgetMs: 3_000 })).rejects.toMatchObject({
      code: 'RESULT_TIMEOUT',
    });
    expect(control.tally().get('nyc')).toMatchObject({ results: 0 });
    expect(control.tally().get('nyc')?.forged).toBeGreaterThan(0);
  });

  it.each([
    ['garbage', 202, '{"ok":tru'],
    ['an empty object', 202, '{}'],
    ['a page of HTML', 500, '<html>'],
  ])('takes %s for a failed dispatch, never for an acceptance', async (_what, status, body) => {
    const { server, baseUrl } = await answering(status, body);
    try {
      const control = open([targetOf('nyc', { baseUrl })]);
      const sent = control.send('nyc', 'noop_ack', {}, { budgetMs: 150 });
      await expect(sent).rejects.toMatchObject({ code: 'COMMAND_DISPATCH_FAILED' });
    } finally {
      await channel?.close();
      server.close();
    }
  });

  it('ends every wait when closed or aborted', async () => {
    const control = open([targetOf('nyc')]);
    const params = { topic: 't', burst_id: 'b', expected: 1, max_ms: 5_000 };
    const stop = new AbortController();
    const aborted = control.call('nyc', 'subscribe_collect', params, { ...BUDGET, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    const waiting = control.call('nyc', 'subscribe_collect', { ...params, burst_id: 'c' }, BUDGET);
    const closed = expect(waiting).rejects.toMatchObject({ code: 'CONTROL_CLOSED' });
    await control.close();
    await closed;
    await expect(control.call('nyc', 'discover', {}, BUDGET)).rejects.toMatchObject({
      code: 'CONTROL_CLOSED',
    });
  });
});
