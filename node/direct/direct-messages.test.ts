import { expect, test } from 'vitest';
import { ackDocumentSchema } from '../api/schema/ack.ts';
import { dmDocumentSchema } from '../api/schema/dm.ts';
import { outcome, PAYLOAD, pair, sendAndWait, settled, statsOf } from './room-fixture.ts';

test('a message to a connected agent is acknowledged, delivered once, and its receipt names the path', async () => {
  const { clock, a, b } = pair();
  b.listen();
  const { receipt } = await sendAndWait(clock, a, b, { requireAckMs: 1_000 });
  await settled();
  expect(receipt).toMatchObject({
    path: 'raw_quic_acked',
    attempts: 1,
    retriesUsed: 0,
    tier: 'admitted',
    requireAck: { ok: true, rttMs: 0 },
  });
  expect(receipt?.requestId).toMatch(/^[0-9a-f]{32}$/);
  expect(b.inbox).toEqual([
    {
      requestId: receipt?.requestId,
      sender: a.transport.agentId,
      machineId: a.transport.peerId,
      payload: Uint8Array.from(PAYLOAD),
      receivedAtUnixMs: 0,
      verified: true,
      trustDecision: 'Unknown',
    },
  ]);
  expect(a.direct.connections()).toEqual([{ agentId: b.transport.agentId, machineId: b.transport.peerId }]);
  expect(outcome(a, 'sender_accepted') + outcome(b, 'receiver_accepted')).toBe(2);
  expect(statsOf(a)).toMatchObject({ outgoing_send_total: 1, outgoing_path_raw_quic: 1 });
  expect(statsOf(b)).toMatchObject({ incoming_envelopes_total: 1, incoming_delivered_to_subscribe: 1 });
});

test('a message to ourselves loops back, verified, without touching the transport', async () => {
  const { clock, a } = pair();
  a.listen();
  const { receipt } = await sendAndWait(clock, a, a);
  await settled();
  expect(receipt).toMatchObject({ path: 'loopback', attempts: 1, tier: 'admitted', requireAck: null });
  expect(a.inbox).toMatchObject([{ sender: a.transport.agentId, verified: true, trustDecision: 'Accept' }]);
  expect(a.transport.requestsTotal).toBe(0);
  expect(statsOf(a)).toMatchObject({ outgoing_send_succeeded: 1, outgoing_path_loopback: 1 });
});

test('documents are valid before any traffic', () => {
  const { a } = pair();
  expect(dmDocumentSchema.parse(a.direct.diagnostics()).per_peer).toEqual({});
  expect(ackDocumentSchema.parse(a.direct.ackDiagnostics()).ack.peers).toEqual([]);
});
