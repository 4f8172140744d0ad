import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { Random } from '../../kit/random.ts';
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
import type { DirectReceipt } from './send-options.ts';

test('a lost acknowledgement is retried with the same id and the message delivered once', async () => {
  const { clock, a, b } = pair();
  b.listen();
  a.transport.fate = (nth) => (nth === 1 ? { lose: 'reply' } : {});
  const { receipt, tookMs } = await sendAndWait(clock, a, b);
  await settled();
  expect(receipt).toMatchObject({ attempts: 2, retriesUsed: 1 });
  expect(tookMs).toBe(4_000);
  expect(b.inbox).toHaveLength(1);
  expect(outcome(b, 'receiver_duplicate_replayed')).toBe(1);
  expect(outcome(b, 'receiver_accepted')).toBe(1);
  expect([outcome(a, 'sender_ack_timeout'), outcome(a, 'sender_retry_accepted')]).toEqual([1, 1]);
});

test.each([
  { old: 'still answers', fate: { replyMs: 40 }, attempts: 1, tookMs: 40 },
  { old: 'is dead', fate: { lose: 'reply' }, attempts: 2, tookMs: 270 },
] as const)(
  'a link replaced while an answer is under way: it $old',
  async ({ fate, attempts, tookMs: expected }) => {
    const { clock, a, b } = pair();
    b.listen();
    a.transport.fate = (nth) => (nth === 1 ? fate : {});
    void clock.sleep(20).then(() => a.transport.connect(b.transport));
    const { receipt, tookMs } = await sendAndWait(clock, a, b);
    await settled();
    expect(receipt).toMatchObject({ attempts, retriesUsed: attempts - 1 });
    expect(tookMs).toBe(expected);
    expect(b.inbox).toHaveLength(1);
  },
);

test('a request id with another payload is a conflict and not delivered', async () => {
  const { clock, a, b } = pair({}, { modules: { freshRequestId: () => '00'.repeat(16) } });
  b.listen();
  await sendAndWait(clock, a, b);
  const { error } = await sendAndWait(clock, a, b, {}, Buffer.from('other'));
  await settled();
  expect(error).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  expect(b.inbox).toHaveLength(1);
  expect(outcome(b, 'receiver_duplicate_conflict')).toBe(1);
});

test('a link that is momentarily absent is repaired and the message delivered', async () => {
  const clock = new VirtualClock();
  const b = room('bob', clock);
  const asked: string[] = [];
  const a = room('alice', clock, {
    modules: {
      ensureLink: async (peerId, signal) => {
        asked.push(peerId);
        await clock.sleep(500, signal);
        a.transport.connect(b.transport);
      },
    },
  });
  a.transport.connect(b.transport);
  a.transport.disconnect(b.transport);
  b.listen();
  const { receipt, tookMs } = await sendAndWait(clock, a, b);
  await settled();
  expect(receipt).toMatchObject({ attempts: 1 });
  expect(tookMs).toBe(500);
  expect(asked).toEqual([b.transport.peerId]);
  expect(b.inbox).toHaveLength(1);
});

test('five double failures in a row close the connection for liveness', async () => {
  const { clock, a, b } = pair();
  a.transport.fate = () => ({ lose: 'request' });
  for (let at = 0; at < 5; at += 1) {
    expect(a.transport.closed).toEqual([]);
    await sendAndWait(clock, a, b, { deadlineMs: 2_000 });
  }
  expect(a.transport.closed).toEqual([{ peerId: b.transport.peerId, reason: 'LivenessTimeout' }]);
});

test('links replaced every 200 ms under 20 messages a second: all delivered, none twice', async () => {
  const seed = Random.freshSeed();
  const random = new Random(seed);
  const { clock, a, b } = pair();
  b.listen();
  let replaced = 0;
  a.transport.onLink(({ event }) => {
    if (event === 'Replaced') replaced += 1;
  });
  a.transport.fate = () => ({
    requestMs: random.int(0, 60),
    replyMs: random.int(0, 60),
    ...(random.int(0, 3) === 0 ? { fail: 'LINK_REPLACED' } : {}),
  });
  const sends: Promise<DirectReceipt>[] = [];
  for (let nowMs = 0; nowMs < 20_000; nowMs += 50) {
    if (nowMs % 200 === 0)
      [a, b][random.int(0, 1)] === a ? a.transport.connect(b.transport) : b.transport.connect(a.transport);
    sends.push(a.direct.send(b.transport.agentId, Buffer.from(`${nowMs}`), OPTIONS, live));
    await clock.advance(50);
  }
  a.transport.fate = () => ({}); // the last replacement is a real one, as every one before it was
  a.transport.connect(b.transport);
  await clock.advance(12_000);
  const receipts = await Promise.all(sends);
  await settled();
  expect(replaced, `seed ${seed}`).toBeGreaterThan(50);
  expect(receipts, `seed ${seed}`).toHaveLength(400);
  expect(new Set(b.inbox.map(({ requestId }) => requestId)).size, `seed ${seed}`).toBe(400);
  expect(b.inbox, `seed ${seed}`).toHaveLength(400);
});

test('whatever is lost or late, a send keeps to its budget, delivers at most once, and the counters add up', async () => {
  const anyFate = fc.record(
    {
      requestMs: fc.integer({ min: 0, max: 9_000 }),
      replyMs: fc.integer({ min: 0, max: 9_000 }),
      lose: fc.constantFrom('request' as const, 'reply' as const),
    },
    { requiredKeys: ['requestMs', 'replyMs'] },
  );
  const happenings = fc.record({
    budgetMs: fc.integer({ min: 0, max: 14_000 }),
    ackMs: fc.integer({ min: 0, max: 14_000 }),
    fates: fc.array(anyFate, { minLength: 4, maxLength: 4 }),
    linkEvents: fc.array(fc.record({ atMs: fc.nat(14_000), change: fc.constantFrom('replace', 'end') }), {
      maxLength: 4,
    }),
  });
  await fc.assert(
    fc.asyncProperty(happenings, async ({ budgetMs, ackMs, fates, linkEvents }) => {
      const { clock, a, b } = pair();
      b.listen();
      a.transport.fate = (nth) => fates[(nth - 1) % fates.length] ?? {};
      for (const { atMs, change } of linkEvents) {
        void clock.sleep(atMs).then(() => {
          if (change === 'replace') a.transport.connect(b.transport);
          else a.transport.disconnect(b.transport);
        });
      }
      let endMs = Number.NaN;
      const sent = a.direct
        .send(b.transport.agentId, PAYLOAD, { ...OPTIONS, deadlineMs: budgetMs, ackMs }, live)
        .then(
          () => 'accepted',
          () => 'failed',
        );
      void sent.then(() => {
        endMs = clock.nowMs();
      });
      await settled();
      await clock.advance(60_000);
      const ended = await Promise.race([sent, settled().then(() => 'pending')]);
      expect(ended).not.toBe('pending');
      await settled();
      expect(endMs).toBeLessThanOrEqual(budgetMs + 1e-6);
      expect(b.inbox.length).toBeLessThanOrEqual(1);
      if (ended === 'accepted') expect(b.inbox).toHaveLength(1);
      const stats = statsOf(a);
      expect(stats.outgoing_send_total).toBe(stats.outgoing_send_succeeded + stats.outgoing_send_failed);
      expect(stats.outgoing_send_succeeded).toBe(stats.outgoing_path_raw_quic);
      expect(outcome(a, 'sender_retry_attempted')).toBe(
        outcome(a, 'sender_retry_accepted') + outcome(a, 'sender_retry_failed'),
      );
    }),
    { numRuns: 60 },
  );
});
