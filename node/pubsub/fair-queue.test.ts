import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from './fair-queue.ts';

interface Item {
  readonly flow: string;
  readonly bytes: number;
  readonly at: number;
}

function queueOf(...flows: readonly (readonly [flow: string, count: number, bytes: number])[]) {
  const queue = new FairQueue<Item>();
  for (const [flow, count, bytes] of flows)
    for (let at = 0; at < count; at += 1) queue.push({ flow, bytes, at });
  return queue;
}

function drain(queue: FairQueue<Item>): Item[] {
  const items: Item[] = [];
  for (let item = queue.shift(); item; item = queue.shift()) items.push(item);
  return items;
}

describe('the fair queue', () => {
  it('lets a few messages of one topic pass thousands of another', () => {
    const went = drain(queueOf(['flood', 2_000, 4_096], ['quiet', 10, 4_096])).map(({ flow }) => flow);
    expect(went).toHaveLength(2_010);
    expect(went.lastIndexOf('quiet')).toBeLessThan(30);
  });

  it('divides by bytes, not by messages', () => {
    const went = drain(queueOf(['large', 100, 65_536], ['small', 1_600, 4_096])).slice(0, 340);
    const bytesOf = (name: string) =>
      went.reduce((sum, { flow, bytes }) => sum + (flow === name ? bytes : 0), 0);
    expect(bytesOf('large') / bytesOf('small')).toBeGreaterThan(0.8);
    expect(bytesOf('large') / bytesOf('small')).toBeLessThan(1.25);
  });

  it('makes the longest flow yield its oldest, but never to itself', () => {
    const queue = queueOf(['flood', 100, 4_096], ['quiet', 10, 4_096]);
    expect(queue.rivalOf({ flow: 'quiet', bytes: 4_096 })).toMatchObject({ flow: 'flood', at: 0 });
    expect(queue.rivalOf({ flow: 'new', bytes: 4_096 })).toMatchObject({ flow: 'flood', at: 0 });
    expect(queue.rivalOf({ flow: 'flood', bytes: 4_096 })).toBeUndefined();
    expect(queue.rivalOf({ flow: 'new', bytes: 1_048_576 })).toBeUndefined();
  });

  it('gives everything that was not taken out once, each flow in its order', () => {
    const item = fc.record({
      flow: fc.constantFrom('a', 'b', 'c'),
      bytes: fc.integer({ min: 1, max: 100_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(item, fc.constantFrom('stays', 'goes', 'shift')), { maxLength: 60 }),
        (steps) => {
          const queue = new FairQueue<Item>();
          const [kept, went]: [Set<Item>, Item[]] = [new Set(), []];
          for (const [at, [what, then]] of steps.entries()) {
            const pushed = { ...what, at };
            queue.push(pushed);
            if (then === 'goes') queue.delete(pushed);
            else kept.add(pushed);
            const shifted = then === 'shift' ? queue.shift() : undefined;
            if (shifted) went.push(shifted);
          }
          went.push(...drain(queue));
          expect(new Set(went)).toEqual(kept);
          expect(went).toHaveLength(kept.size);
          for (const flow of ['a', 'b', 'c']) {
            const order = went.filter((one) => one.flow === flow).map(({ at }) => at);
            expect(order).toEqual(order.toSorted((a, b) => a - b));
          }
          expect([...queue]).toEqual([]);
        },
      ),
    );
  });
});
