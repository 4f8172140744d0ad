import { expect, test } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import { DIRECT_ERROR_STATUS } from '../api/schema/direct-send.ts';
import { encodeRequest } from './ack-protocol.ts';
import {
  live,
  OPTIONS,
  outcome,
  PAYLOAD,
  pair,
  room,
  sendAndWait,
  settled,
  statsOf,
} from './room-fixture.ts';
import { DIRECT_ERROR_CODES } from './send-error.ts';
import type { DirectSendOptions } from './send-options.ts';

test('every error of this room has an HTTP status in the API', () => {
  expect(Object.keys(DIRECT_ERROR_STATUS)).toEqual(expect.arrayContaining([...DIRECT_ERROR_CODES]));
});

test('a frame that names another sender is refused and counted', async () => {
  const { clock, a, b } = pair();
  b.listen();
  const forged = encodeRequest({
    kind: 'message',
    requestId: '00'.repeat(16),
    sender: sha256Hex('mallory'),
    payload: PAYLOAD,
  });
  a.transport.fate = () => ({ request: forged });
  const { error } = await sendAndWait(clock, a, b);
  await settled();
  expect(error).toMatchObject({ code: 'RECIPIENT_REJECTED', details: { reason: 'sender_mismatch' } });
  expect(b.inbox).toEqual([]);
  expect(statsOf(b)).toMatchObject({ incoming_signature_failed: 1, incoming_delivered_to_subscribe: 0 });
});

test('broken, cut and foreign requests and replies are errors with a name, and delivered never', async () => {
  const { clock, a, b } = pair();
  b.listen();
  const broken = encodeRequest({
    kind: 'probe',
    requestId: '00'.repeat(16),
    sender: a.transport.agentId,
  }).subarray(0, 30);
  a.transport.fate = () => ({ request: broken });
  expect((await sendAndWait(clock, a, b)).error).toMatchObject({ code: 'RECIPIENT_REJECTED' });
  expect(statsOf(b)).toMatchObject({ incoming_decode_failed: 1 });
  a.transport.fate = () => ({ request: Buffer.from('GET / HTTP/1.1') });
  expect((await sendAndWait(clock, a, b)).error).toMatchObject({
    code: 'RECIPIENT_ACK_SEMANTICS_UNAVAILABLE',
  });
  expect(b.inbox).toEqual([]);
  a.transport.fate = () => ({ reply: Buffer.from('nonsense!') });
  expect((await sendAndWait(clock, a, b)).error).toMatchObject({
    code: 'RECIPIENT_ACK_SEMANTICS_UNAVAILABLE',
  });
  a.transport.fate = (nth) => (nth % 2 === 0 ? { reply: new Uint8Array() } : {});
  await sendAndWait(clock, a, b);
  expect(outcome(a, 'sender_invalid_response')).toBe(1);
  expect(outcome(a, 'sender_response_incomplete')).toBe(1);
});

test('an agent never seen is an immediate error of its own', async () => {
  const { clock, a } = pair();
  const { error, tookMs } = await sendAndWait(clock, a, room('carol', clock));
  expect(error).toMatchObject({ code: 'RECIPIENT_KEY_UNAVAILABLE' });
  expect(tookMs).toBe(0);
  expect(statsOf(a)).toMatchObject({ outgoing_send_total: 1, outgoing_send_failed: 1 });
});

test('a known agent without a link is waited for 6 s and then likely offline', async () => {
  const { clock, a, b } = pair();
  a.transport.disconnect(b.transport);
  const { error, tookMs } = await sendAndWait(clock, a, b);
  expect(error).toMatchObject({
    code: 'PEER_LIKELY_OFFLINE',
    details: { attempts: 0, budget_stage: 'link_wait' },
  });
  expect(tookMs).toBe(6_000);
});

test('a connection that ends under the send and does not come back is a disconnected peer', async () => {
  const { clock, a, b } = pair();
  a.transport.fate = () => ({ lose: 'request' });
  const sent = sendAndWait(clock, a, b);
  a.transport.disconnect(b.transport);
  const { error } = await sent;
  expect(error).toMatchObject({ code: 'PEER_DISCONNECTED' });
  expect(outcome(a, 'sender_connection_closed')).toBe(1);
});

test('silence ends in a timeout that says where the time went, with the retry failure already recorded', async () => {
  const { clock, a, b } = pair();
  a.transport.fate = () => ({ lose: 'request' });
  const { error, tookMs } = await sendAndWait(clock, a, b);
  expect(error).toMatchObject({
    code: 'TIMEOUT',
    details: { budget_stage: 'retry', ack_wait_ms: 8_000, elapsed_ms: 8_000, attempts: 2 },
  });
  expect(tookMs).toBe(8_000);
  expect([outcome(a, 'sender_ack_timeout'), outcome(a, 'sender_retry_failed')]).toEqual([2, 1]);
});

test('our own full send queue is backpressure, not a broken peer', async () => {
  const { clock, a, b } = pair();
  a.transport.fate = () => ({ fail: 'REQUEST_LIMIT' });
  expect((await sendAndWait(clock, a, b)).error).toMatchObject({ code: 'RECEIVER_BACKPRESSURED' });
  a.transport.fate = () => ({ fail: 'REQUEST_RESET' });
  expect((await sendAndWait(clock, a, b)).error).toMatchObject({ code: 'PEER_DISCONNECTED' });
});

test('what cannot be promised is refused before anything is sent', async () => {
  const { clock, a, b } = pair();
  const codeOf = async (options: Partial<DirectSendOptions>, payload?: Uint8Array) =>
    (await sendAndWait(clock, a, b, options, payload)).error;
  const unavailable = { code: 'RECIPIENT_ACK_SEMANTICS_UNAVAILABLE' };
  expect(await codeOf({ requireDurableAppAck: true })).toMatchObject(unavailable);
  expect(await codeOf({ requireGossip: true })).toMatchObject(unavailable);
  expect(await codeOf({ logicalId: 'x' })).toMatchObject({ code: 'LOGICAL_ID_REQUIRES_DURABLE_ACK' });
  expect(await codeOf({}, new Uint8Array(16 * 1024 * 1024 + 1))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  expect(a.transport.requestsTotal).toBe(0);
  expect(statsOf(a)).toMatchObject({ outgoing_send_total: 4, outgoing_send_failed: 4 });
});

test('a caller that gives up gets its own reason, and so does one whose node stops', async () => {
  const { clock, a, b } = pair();
  a.transport.fate = () => ({ lose: 'request' });
  const caller = new AbortController();
  const given = a.direct.send(b.transport.agentId, PAYLOAD, OPTIONS, caller.signal);
  caller.abort(new Error('the client hung up'));
  await expect(given).rejects.toThrow('the client hung up');
  const cut = a.direct.send(b.transport.agentId, PAYLOAD, OPTIONS, live);
  const expected = expect(cut).rejects.toMatchObject({ code: 'NO_CONNECTIVITY' });
  await a.direct.stop();
  await expected;
  expect(statsOf(a)).toMatchObject({ outgoing_send_total: 2, outgoing_send_failed: 2 });
  expect((await sendAndWait(clock, b, a)).error).toMatchObject({ code: 'PEER_DISCONNECTED' }); // told "closing"
});
