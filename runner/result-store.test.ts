import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResultStore, type UnnumberedResult } from './result-store.ts';

const RESULT: UnnumberedResult = {
  kind: 'ack',
  command_id: 'c',
  request_id: null,
  outcome: 'ok',
  details: {},
  node: 'nyc',
  agent_id: 'a'.repeat(64),
  machine_id: 'b'.repeat(64),
  ts_ms: 1,
  digest_marker: null,
  boot_id: 'boot',
};

describe('ResultStore', () => {
  it('gives a reader that resumes wherever it broke off every result once, or counts it as missed', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 9 }), lost: fc.boolean() }),
      fc.record({ wait: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = new ResultStore({ max: 10, maxAgeMs: 100 });
        const got: number[] = [];
        let [now, after, missed, pushed] = [0, 0, 0, 0];
        for (const one of steps) {
          if ('push' in one) for (let i = 0; i < one.push; i += 1, pushed += 1) store.push(RESULT, now);
          if ('wait' in one) now += one.wait;
          if ('read' in one) {
            const page = store.read({ after, limit: one.read }, now);
            if (one.lost) continue; // the answer never arrived: the reader asks again from where it was
            got.push(...page.results.map(({ seq }) => seq));
            missed += page.missed;
            after = page.nextAfter;
          }
        }
        for (let more = true; more; ) {
          const page = store.read({ after, limit: 4 }, now);
          got.push(...page.results.map(({ seq }) => seq));
          missed += page.missed;
          after = page.nextAfter;
          more = page.results.length > 0;
        }
        expect(new Set(got).size).toBe(got.length);
        expect(got.toSorted((a, b) => a - b)).toEqual(got);
        expect(got.length + missed).toBe(pushed);
        expect(store.size).toBeLessThanOrEqual(10);
      }),
    );
  });

  it('keeps at most so many, and says in each later result how many gave way unread', () => {
    const store = new ResultStore({ max: 3, maxAgeMs: 1_000 });
    for (let i = 0; i < 5; i += 1) store.push(RESULT, 0);
    expect(store.droppedUnread).toBe(2);
    expect(store.push(RESULT, 0).results_dropped_total).toBe(2);
    expect(store.read({ after: 0, limit: 10 }, 0)).toMatchObject({ missed: 3, nextAfter: 6 });
  });

  it('lets go of what is too old', () => {
    const store = new ResultStore({ max: 10, maxAgeMs: 300_000 });
    store.push(RESULT, 0);
    store.push(RESULT, 300_000);
    expect(store.read({ after: 0, limit: 10 }, 300_001)).toMatchObject({ missed: 1, results: [{ seq: 2 }] });
  });

  it('does not count what had been read as dropped', () => {
    const store = new ResultStore({ max: 2, maxAgeMs: 1_000 });
    store.push(RESULT, 0);
    store.push(RESULT, 0);
    store.read({ after: 2, limit: 10 }, 0);
    store.push(RESULT, 0);
    expect(store.droppedUnread).toBe(0);
  });

  it('does not count what was delivered another way as dropped', () => {
    const store = new ResultStore({ max: 2, maxAgeMs: 1_000 });
    for (let i = 0; i < 2; i += 1) store.markDelivered(store.push(RESULT, 0).seq);
    store.push(RESULT, 0);
    expect(store.droppedUnread).toBe(0);
    store.push(RESULT, 2_000);
    expect(store.droppedUnread).toBe(1);
  });
});
