import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AdmissionQueue } from './admission-queue.ts';

const sized = (bytes: number) => ({ payload: new Uint8Array(bytes) });

test('the queue is bounded by count and by bytes, yet one message always fits an empty queue', () => {
  const queue = new AdmissionQueue({ maxMessages: 2, maxBytes: 10, maxAgeMs: 1_000 });
  expect(queue.offer(sized(16), 0)).toBe('queued');
  expect(queue.offer(sized(1), 0)).toBe('full');
  expect(queue.take(0)?.payload.length).toBe(16);
  expect([queue.offer(sized(1), 0), queue.offer(sized(1), 0), queue.offer(sized(1), 0)]).toEqual([
    'queued',
    'queued',
    'full',
  ]);
});

test('messages come out in order, the expired are counted, and nothing is lost without a count', () => {
  const steps = fc.array(
    fc.oneof(fc.record({ offer: fc.nat(8) }), fc.constant({ take: true }), fc.record({ waitMs: fc.nat(60) })),
  );
  fc.assert(
    fc.property(steps, (list) => {
      const queue = new AdmissionQueue<{ payload: Uint8Array; id: number }>({
        maxMessages: 4,
        maxBytes: 20,
        maxAgeMs: 100,
      });
      let [nowMs, queued, taken, lastId] = [0, 0, 0, -1];
      for (const [id, step] of list.entries()) {
        if ('waitMs' in step) nowMs += step.waitMs;
        else if ('offer' in step)
          queued += queue.offer({ ...sized(step.offer), id }, nowMs) === 'queued' ? 1 : 0;
        else {
          const message = queue.take(nowMs);
          if (message) {
            expect(message.id).toBeGreaterThan(lastId);
            lastId = message.id;
            taken += 1;
          }
        }
        expect(queued).toBe(taken + queue.length + queue.expiredTotal);
        expect(queue.length).toBeLessThanOrEqual(4);
        expect(queue.bytes).toBeLessThanOrEqual(20);
        if (queue.length === 0) expect(queue.bytes).toBe(0);
      }
    }),
  );
});
