import { expect, test } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { ackDocumentSchema } from '../api/schema/ack.ts';
import { AckStats } from './ack-stats.ts';
import { FakeTransport } from './transport-fake.ts';

const MINUTE_MS = 60_000;

function linked() {
  const clock = new VirtualClock();
  const [near, far] = [new FakeTransport('near', clock), new FakeTransport('far', clock)];
  near.connect(far);
  const link = near.linkTo(far.peerId);
  if (link === undefined) throw new Error('the fake did not connect');
  return { near, far, link };
}

test('an empty document is valid', () => {
  expect(ackDocumentSchema.parse(new AckStats().document(5)).ack.peers).toEqual([]);
});

test('there is one row per peer, connection and minute, and summing rows gives every outcome', () => {
  const { link } = linked();
  const stats = new AckStats();
  for (let at = 0; at < 6; at += 1)
    stats.outcome({ ...link, generation: 1 + (at % 2) }, 'sender_accepted', at * 30_000);
  stats.stage(link, 'sender_response_read', 12.5, 2 * MINUTE_MS);
  const { peers } = ackDocumentSchema.parse(stats.document(3 * MINUTE_MS)).ack;
  expect(peers).toHaveLength(6);
  expect(peers.reduce((sum, row) => sum + row.outcomes.sender_accepted, 0)).toBe(6);
  const timed = peers.filter((row) => row.stages.sender_response_read.count > 0);
  expect(timed).toMatchObject([
    { minute_unix: 2, stable_id: 1, stages: { sender_response_read: { p50_ms: 12.5 } } },
  ]);
});

test('rows live for 15 minutes', () => {
  const { link } = linked();
  const stats = new AckStats();
  stats.outcome(link, 'receiver_accepted', 0);
  expect(stats.document(14 * MINUTE_MS + 59_999).ack.peers).toHaveLength(1);
  expect(stats.document(15 * MINUTE_MS).ack.peers).toHaveLength(0);
});

test('a storm of connections inside one minute is bounded', () => {
  const { link } = linked();
  const stats = new AckStats();
  for (let generation = 1; generation <= 20_000; generation += 1) {
    stats.outcome({ ...link, generation }, 'sender_accepted', 0);
  }
  expect(stats.document(1).ack.peers.length).toBeLessThanOrEqual(8_192);
});
