import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseBudget } from './sse-budget.ts';
import { SseQueue } from './sse-queue.ts';

const BOUNDS = { maxEvents: 1_000, maxBytes: 1_000 };

describe('SseBudget', () => {
  it('never lets all queues together hold more than its bound, and tells each owner what it lost', () => {
    const push = fc.record({ reader: fc.nat(3), bytes: fc.integer({ min: 1, max: 90 }) });
    fc.assert(
      fc.property(fc.array(push, { maxLength: 100 }), (pushes) => {
        const budget = new SseBudget(100);
        const queues = Array.from({ length: 4 }, () => new SseQueue(BOUNDS));
        const lost = [0, 0, 0, 0];
        queues.forEach((queue, at) => {
          budget.add(queue, (events) => {
            lost[at] = (lost[at] ?? 0) + events;
          });
        });
        const pushed = [0, 0, 0, 0];
        for (const { reader, bytes } of pushes) {
          queues[reader]?.push(Buffer.alloc(bytes));
          pushed[reader] = (pushed[reader] ?? 0) + 1;
          budget.settle();
          expect(budget.usedBytes).toBeLessThanOrEqual(100);
        }
        expect(queues.map((queue, at) => queue.length + (lost[at] ?? 0))).toEqual(pushed);
      }),
    );
  });

  it('has the largest queue give way, its oldest events first, and leaves the others whole', () => {
    const budget = new SseBudget(100);
    const [stalled, busy] = [new SseQueue(BOUNDS), new SseQueue(BOUNDS)];
    for (const queue of [stalled, busy]) budget.add(queue, () => {});
    for (let sent = 0; sent < 8; sent += 1) stalled.push(Buffer.alloc(10, sent));
    for (let sent = 0; sent < 4; sent += 1) busy.push(Buffer.alloc(10, sent));
    budget.settle();
    expect([stalled.length, busy.length]).toEqual([6, 4]);
    expect(stalled.takeBatch(1)?.[0]).toBe(2);
  });

  it('does not count a reader that has gone', () => {
    const budget = new SseBudget(100);
    const queue = new SseQueue(BOUNDS);
    budget.add(queue, () => {});
    queue.push(Buffer.alloc(60));
    expect(budget.usedBytes).toBe(60);
    budget.remove(queue);
    expect(budget.usedBytes).toBe(0);
  });
});
