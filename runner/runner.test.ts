import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSigning } from '../kit/create-signing.ts';
import { until } from '../kit/deadline.ts';
import type { Signing } from '../kit/signing.ts';
import { operatorId } from './command-envelope.ts';
import { encodeCommandDm, encodeHopDm } from './dm-frames.ts';
import { health, page, post, RigOperator, resultOf } from './rig-operator.ts';
import { type RiggedRunner, RunnerRig } from './runner-rig.ts';

let signing: Signing;
let operator: RigOperator;
let stranger: RigOperator;
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
  stranger = new RigOperator(await signing.signer(signing.freshSeed()));
  const operators = new Map([[operatorId(signer.publicKey), signer.publicKey]]);
  rig = await RunnerRig.start(['nyc', 'sfo'], { operators, signing });
  nyc = rig.runner('nyc');
  sfo = rig.runner('sfo');
});
afterEach(() => rig.stop());

describe('a runner', () => {
  it('announces itself, and tells who it is when discovered', async () => {
    expect((await page(nyc)).results[0]).toMatchObject({ kind: 'runner_ready', node: 'nyc', seq: 1 });
    expect(await operator.execute(nyc, 'discover')).toMatchObject({
      kind: 'discover_reply',
      agent_id: nyc.node.agentId,
      machine_id: nyc.node.machineId,
      details: { streams_attached: true, node_connects: 1 },
    });
  });

  it('tells how many errors reached no handler, in its health and when it is discovered', async () => {
    nyc.unhandledErrors = 3;
    expect(await health(nyc)).toMatchObject({ unhandled_errors_total: 3 });
    const { details } = await operator.execute(nyc, 'discover');
    expect(details).toMatchObject({ unhandled_errors_total: 3 });
  });

  it('asks for its token', async () => {
    expect(await post(nyc, await operator.envelope('noop_ack'), 'x'.repeat(64))).toMatchObject({
      status: 401,
    });
    expect((await fetch(`${nyc.baseUrl}/results`)).status).toBe(401);
    expect((await fetch(`${nyc.baseUrl}/health`)).status).toBe(401);
  });

  it('refuses whatever is not a valid command of its operator, counts why, and executes none of it', async () => {
    const genuine = JSON.parse(await operator.envelope('noop_ack'));
    const past = { issued_at_unix_ms: Date.now() - 10_000, expires_at_unix_ms: Date.now() - 1 };
    const attempts = [
      ['SIGNATURE_INVALID', 403, JSON.stringify({ ...genuine, command: `${genuine.command} ` })],
      ['COMMAND_UNSIGNED', 403, JSON.stringify({ command: genuine.command, operator: genuine.operator })],
      ['OPERATOR_UNKNOWN', 403, await stranger.envelope('noop_ack', {}, {})],
      ['COMMAND_FOR_ANOTHER_NODE', 403, await operator.envelope('noop_ack', {}, { target_node: 'sfo' })],
      ['COMMAND_EXPIRED', 403, await operator.envelope('noop_ack', {}, past)],
      ['ENVELOPE_MALFORMED', 400, 'not JSON'],
    ] as const;
    for (const [code, status, text] of attempts) {
      expect(await post(nyc, text)).toMatchObject({ status, body: { ok: false, code } });
    }
    const { commands: seen } = await health(nyc);
    expect(seen).toMatchObject({
      executed: 0,
      refused: Object.fromEntries(attempts.map(([code]) => [code, 1])),
    });
    expect((await page(nyc)).results).toHaveLength(1);
  });

  it('refuses an envelope beyond the bound', async () => {
    const { status, body } = await post(nyc, 'x'.repeat(1_100_000));
    expect({ status, code: body.code }).toEqual({ status: 413, code: 'ENVELOPE_TOO_LARGE' });
  });

  it('executes a command once, however often and however concurrently it comes', async () => {
    const text = await operator.envelope('noop_ack');
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(nyc, text)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(19).fill(200), 202]);
    await resultOf(nyc, ({ kind }) => kind === 'ack');
    expect((await page(nyc)).results.filter(({ kind }) => kind === 'ack')).toHaveLength(1);
  });

  it('executes a command once even when it was restarted in between', async () => {
    const text = await operator.envelope('noop_ack');
    expect(await post(nyc, text)).toMatchObject({ status: 202 });
    const { boot_id } = await page(nyc);
    await nyc.restart();
    expect(await post(nyc, text)).toMatchObject({ status: 200, body: { duplicate: true } });
    const after = await page(nyc, `after=2&boot_id=${boot_id}`);
    expect(after.boot_id).not.toBe(boot_id);
    expect(after.results.map(({ kind }) => kind)).toEqual(['runner_ready']);
  });

  it('answers an unknown action and wrong params with an error', async () => {
    expect(await operator.execute(nyc, 'format_disk')).toMatchObject({
      kind: 'error',
      outcome: { code: 'ACTION_UNKNOWN' },
    });
    const wrong = await operator.execute(nyc, 'send_dm', { recipient_aid: 'nobody' });
    expect(wrong).toMatchObject({ kind: 'error', outcome: { code: 'PARAMS_INVALID' } });
  });

  it('lets a reader wait for the next result', async () => {
    const { next_after, boot_id } = await page(nyc);
    const waiting = page(nyc, `after=${next_after}&boot_id=${boot_id}&wait_ms=5000`);
    await post(nyc, await operator.envelope('noop_ack'));
    expect((await waiting).results).toMatchObject([{ kind: 'ack', seq: next_after + 1 }]);
  });

  it('attaches again after its node restarted, and says so', async () => {
    nyc.node.restart();
    const streams = async () => {
      const { details } = await operator.execute(nyc, 'discover');
      return details.node_connects === 2 && details.streams_attached ? true : undefined;
    };
    await until('both streams attached again', streams, { budgetMs: 20_000 });
  });
});

describe('commands over the mesh', () => {
  it('are executed when genuine, and their results go to the anchor that they name', async () => {
    const text = await operator.envelope(
      'noop_ack',
      {},
      { target_node: 'sfo', anchor_aid: nyc.node.agentId },
    );
    sfo.node.receiveDirect({ from: nyc.node, payload: encodeCommandDm(text), verified: true });
    await until('the result is posted', () => (sfo.node.directSends === 1 ? true : undefined), {
      budgetMs: 20_000,
    });
    sfo.node.receiveDirect({ from: nyc.node, payload: encodeCommandDm(text), verified: true });
    const duplicates = async () => ((await health(sfo)).commands.duplicates === 1 ? true : undefined);
    await until('the replay is noticed', duplicates, { budgetMs: 20_000 });
    expect(sfo.node.directSends).toBe(1);
  });

  it('are refused when forged, and a stranger cannot make the runner write to anyone', async () => {
    const text = await stranger.envelope(
      'noop_ack',
      {},
      { target_node: 'sfo', anchor_aid: nyc.node.agentId },
    );
    sfo.node.receiveDirect({ from: nyc.node, payload: encodeCommandDm(text), verified: true });
    const hop = { requestId: 'r', digestMarker: '', anchorAid: nyc.node.agentId, payload: Buffer.from('x') };
    sfo.node.receiveDirect({ from: nyc.node, payload: encodeHopDm(hop), verified: false });
    expect(await resultOf(sfo, ({ kind }) => kind === 'received_dm')).toMatchObject({
      details: { verified: false },
    });
    expect(await health(sfo)).toMatchObject({ commands: { executed: 0, refused: { OPERATOR_UNKNOWN: 1 } } });
    expect(sfo.node.directSends).toBe(0);
  });
});
