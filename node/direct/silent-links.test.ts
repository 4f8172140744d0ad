import { expect, test } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { room, sendAndWait } from './room-fixture.ts';

/** A sender whose link tells when it last heard something, and a membership that needs 30 ms for a dial. */
function watchedPair() {
  const clock = new VirtualClock();
  let heardMs = 0;
  const b = room('bob', clock);
  const a = room('alice', clock, {
    modules: {
      pathTo: () => ({ quietMs: clock.nowMs() - heardMs, rttMs: 1 }),
      ensureLink: async (_peerId, signal) => {
        await clock.sleep(30, signal);
        a.transport.connect(b.transport);
        heardMs = clock.nowMs();
      },
    },
  });
  a.transport.connect(b.transport);
  b.listen();
  return { clock, a, b };
}

test('a peer that had no processor for 4.9 s keeps its link, and its message comes through', async () => {
  const { clock, a, b } = watchedPair();
  a.transport.fate = (nth) => (nth === 1 ? { lose: 'reply' } : { replyMs: 900 }); // the retry goes out after 4 s
  const { receipt, tookMs } = await sendAndWait(clock, a, b);
  expect([receipt?.attempts, tookMs]).toEqual([2, 4_900]);
  expect(a.transport.closed).toEqual([]);
});

test('a link from which nothing comes in both tries is closed after 5 s, and the message goes over a new one', async () => {
  const { clock, a, b } = watchedPair();
  a.transport.fate = (nth) => (nth <= 2 ? { lose: 'request' } : {});
  const { receipt, tookMs } = await sendAndWait(clock, a, b);
  expect([receipt?.attempts, tookMs]).toEqual([3, 5_030]);
  expect(a.transport.closed).toEqual([{ peerId: b.transport.peerId, reason: 'LivenessTimeout' }]);
});

test('a link that had been quiet for 20 s before the message gets 2 s', async () => {
  const { clock, a, b } = watchedPair();
  await clock.advance(20_000);
  a.transport.fate = (nth) => (nth === 1 ? { lose: 'request' } : {});
  const { receipt, tookMs } = await sendAndWait(clock, a, b);
  expect([receipt?.attempts, tookMs]).toEqual([2, 2_030]);
});
