import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BoundedMap, BoundedQueue } from './bounded.ts';

test('a full map evicts its oldest insertion, says so and counts it; a replaced entry keeps its age', () => {
  const evicted: [string, number][] = [];
  const map = new BoundedMap<string, number>({ max: 2, onEvict: (key, value) => evicted.push([key, value]) });
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  map.set('c', 4);
  expect(evicted).toEqual([['a', 3]]);
  expect([...map.entries()]).toEqual([
    ['b', 2],
    ['c', 4],
  ]);
  expect(map.evicted).toBe(1);
});

test('a map never exceeds its bound, and loses nothing that it does not count', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 8 }), (keys, max) => {
      const map = new BoundedMap<number, number>({ max });
      let inserted = 0;
      for (const key of keys) {
        if (!map.has(key)) inserted += 1;
        map.set(key, key);
        expect(map.size).toBeLessThanOrEqual(max);
        expect(map.get(key)).toBe(key);
      }
      expect(map.size + map.evicted).toBe(inserted);
    }),
  );
});

test.each(['drop-oldest', 'refuse'] as const)(
  'a queue that is to %s behaves as a list with a bound',
  (full) => {
    const operation = fc.oneof(fc.nat(99), fc.constant('shift' as const));
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 300 }),
        fc.integer({ min: 1, max: 10 }),
        (operations, max) => {
          const queue = new BoundedQueue<number>({ max, full });
          const model: number[] = [];
          let dropped = 0;
          let highest = 0;
          for (const operation of operations) {
            if (operation === 'shift') {
              expect(queue.peek()).toBe(model[0]);
              expect(queue.shift()).toBe(model.shift());
            } else {
              const isFull = model.length === max;
              if (isFull) dropped += 1;
              expect(queue.push(operation)).toBe(
                isFull ? { 'drop-oldest': 'dropped-oldest', refuse: 'refused' }[full] : 'queued',
              );
              if (isFull && full === 'drop-oldest') model.shift();
              if (!isFull || full === 'drop-oldest') model.push(operation);
            }
            highest = Math.max(highest, model.length);
            expect([queue.length, queue.dropped, queue.highWater]).toEqual([model.length, dropped, highest]);
          }
        },
      ),
    );
  },
);

test('a queue keeps its order over more items than it compacts at', () => {
  const queue = new BoundedQueue<number>({ max: 10, full: 'refuse' });
  for (let item = 0; item < 5_000; item += 1) {
    queue.push(item);
    if (item >= 5) expect(queue.shift()).toBe(item - 5);
  }
  expect(queue.length).toBe(5);
  queue.clear();
  expect(queue.shift()).toBeUndefined();
});
