import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseQueue } from './sse-queue.ts';

const frame = (id: number, size: number) => Buffer.alloc(size, id);

describe('SseQueue', () => {
  it('never holds more than its bounds, loses oldest first, and counts every loss', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(fc.record({ size: fc.integer({ min: 1, max: 60 }) }), fc.constant('take' as const)),
          {
            maxLength: 200,
          },
        ),
        (steps) => {
          const bounds = { maxEvents: 5, maxBytes: 100 };
          const queue = new SseQueue(bounds);
          let model: Buffer[] = [];
          let lost = 0;
          steps.forEach((step, index) => {
            if (step === 'take') {
              const batch = queue.takeBatch(40);
              const taken: Buffer[] = [];
              let size = 0;
              while (model[0] !== undefined && (taken.length === 0 || size + model[0].length <= 40)) {
                size += model[0].length;
                taken.push(model[0]);
                model = model.slice(1);
              }
              expect(Buffer.concat(batch === undefined ? [] : [batch])).toEqual(Buffer.concat(taken));
              return;
            }
            const next = frame(index & 255, step.size);
            const before = model.length;
            while (
              model.length > 0 &&
              (model.length >= 5 || model.reduce((sum, held) => sum + held.length, 0) + next.length > 100)
            ) {
              model = model.slice(1);
            }
            lost += before - model.length;
            expect(queue.push(next)).toBe(before - model.length);
            model.push(next);
          });
          expect(queue.length).toBe(model.length);
          expect(queue.bytes).toBe(model.reduce((sum, held) => sum + held.length, 0));
          expect(queue.length).toBeLessThanOrEqual(bounds.maxEvents);
          expect(queue.evicted).toBe(lost);
        },
      ),
    );
  });

  it('takes one frame that is larger than the byte bound, so that size alone never loses an event', () => {
    const queue = new SseQueue({ maxEvents: 5, maxBytes: 100 });
    queue.push(frame(1, 10));
    expect(queue.push(frame(2, 500))).toBe(1);
    expect(queue.takeBatch(50)).toHaveLength(500);
  });
});
