import { expect, test } from 'vitest';
import { live, OPTIONS, outcome, PAYLOAD, pair, sendAndWait, settled, statsOf } from './room-fixture.ts';

test('a stalled subscriber means backpressure within the admission time, never a missed acknowledgement', async () => {
  const { clock, a, b } = pair({ options: { maxMessages: 3 } });
  const release = Promise.withResolvers<void>();
  const handed: string[] = [];
  b.direct.subscribe((message) => {
    handed.push(message.requestId);
    return release.promise;
  });
  const results = [];
  for (let at = 0; at < 8; at += 1) results.push(await sendAndWait(clock, a, b));
  expect(results.filter(({ receipt }) => receipt !== null)).toHaveLength(4); // one in hand, three queued
  const refused = results.filter(({ error }) => error !== null);
  for (const { error, tookMs } of refused) {
    expect(error).toMatchObject({ code: 'RECEIVER_BACKPRESSURED' });
    expect(tookMs).toBeLessThanOrEqual(100);
  }
  expect([outcome(a, 'sender_ack_timeout'), outcome(a, 'sender_rejected')]).toEqual([0, 4]);
  release.resolve();
  await settled();
  expect(handed).toHaveLength(4);
});

test('a newcomer that finds room within the admission time is admitted', async () => {
  const { clock, a, b } = pair({ options: { maxMessages: 1 } });
  const release = Promise.withResolvers<void>();
  b.direct.subscribe(() => release.promise);
  await sendAndWait(clock, a, b);
  await sendAndWait(clock, a, b);
  const late = a.direct.send(b.transport.agentId, PAYLOAD, OPTIONS, live);
  await clock.advance(50);
  release.resolve();
  await settled();
  await clock.advance(0);
  await expect(late).resolves.toMatchObject({ attempts: 1 });
});

test('a stalled subscriber that leaves makes way for the others', async () => {
  const { clock, a, b } = pair();
  const leave = b.direct.subscribe(() => new Promise(() => {}));
  await sendAndWait(clock, a, b);
  await settled();
  b.listen();
  await sendAndWait(clock, a, b);
  leave();
  await settled();
  expect(b.inbox).toHaveLength(1); // the first message was handed out before this listener came
});

test('a subscriber that throws does not keep messages from the others', async () => {
  const { clock, a, b } = pair();
  b.direct.subscribe(() => {
    throw new Error('broken');
  });
  b.direct.subscribe(() => Promise.reject(new Error('broken too')));
  b.listen();
  await sendAndWait(clock, a, b);
  await sendAndWait(clock, a, b);
  await settled();
  expect(b.inbox).toHaveLength(2);
});

test('without a subscriber messages wait for one, and are dropped with a count when they are too old', async () => {
  const { clock, a, b } = pair();
  await sendAndWait(clock, a, b);
  await clock.advance(60_000);
  await sendAndWait(clock, a, b);
  await clock.advance(60_000);
  b.listen();
  await settled();
  expect(b.inbox).toHaveLength(1);
  expect(statsOf(b)).toMatchObject({ incoming_dropped_expired: 1, incoming_delivered_to_subscribe: 1 });
});
