import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReplayCache } from './replay-cache.ts';

test('a request seen before is replayed with the same payload and in conflict with another', () => {
  const cache = new ReplayCache();
  expect(cache.find('p/1', 'aa', 0)).toBe('new');
  cache.remember('p/1', 'aa', 0);
  expect(cache.find('p/1', 'aa', 119_999)).toBe('replayed');
  expect(cache.find('p/1', 'bb', 119_999)).toBe('conflict');
  expect(cache.find('q/1', 'bb', 119_999)).toBe('new');
  expect(cache.find('p/1', 'aa', 120_000)).toBe('new');
  expect(cache.size).toBe(0);
});

test('the cache behaves like a list of the newest entries that are not too old', () => {
  const visits = fc.array(fc.record({ key: fc.nat(12), payload: fc.nat(2), afterMs: fc.nat(40) }), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(visits, (steps) => {
      const cache = new ReplayCache({ ttlMs: 100, maxEntries: 5 });
      let model: { key: string; payload: string; atMs: number }[] = [];
      let nowMs = 0;
      let evicted = 0;
      for (const step of steps) {
        nowMs += step.afterMs;
        const [key, payload] = [`${step.key}`, `${step.payload}`];
        model = model.filter(({ atMs }) => nowMs - atMs < 100);
        const known = model.find((entry) => entry.key === key);
        const expected = known === undefined ? 'new' : known.payload === payload ? 'replayed' : 'conflict';
        expect(cache.find(key, payload, nowMs)).toBe(expected);
        if (expected === 'new') {
          cache.remember(key, payload, nowMs);
          evicted += model.length === 5 ? 1 : 0;
          model = [...model, { key, payload, atMs: nowMs }].slice(-5);
        }
        expect(cache.size).toBe(model.length);
        expect(cache.evictedTotal).toBe(evicted);
      }
    }),
  );
});
