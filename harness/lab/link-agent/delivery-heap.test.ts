import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeliveryHeap } from './delivery-heap.ts';

test('deliveries come in the order of their times, equal ones in the order in which they were made', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20 })),
      fc.integer({ min: 0, max: 20 }),
      (times, untilMs) => {
        const heap = new DeliveryHeap<{ atMs: number; index: number }>();
        for (const [index, atMs] of times.entries()) heap.push({ atMs, index }, atMs);
        const wanted = times
          .map((atMs, index) => ({ atMs, index }))
          .sort((a, b) => a.atMs - b.atMs || a.index - b.index);
        expect(heap.nextAtMs).toBe(wanted[0]?.atMs);
        const due: unknown[] = [];
        for (let item = heap.takeDue(untilMs); item !== undefined; item = heap.takeDue(untilMs))
          due.push(item);
        expect(due).toEqual(wanted.filter(({ atMs }) => atMs <= untilMs));
        const rest: unknown[] = [];
        for (let item = heap.takeDue(99); item !== undefined; item = heap.takeDue(99)) rest.push(item);
        expect(rest).toEqual(wanted.filter(({ atMs }) => atMs > untilMs));
      },
    ),
  );
});
