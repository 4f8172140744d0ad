import { expect, it } from 'vitest';
import { CleanupPace } from './cleanup-pace.ts';

it('cleans twice as often while the table grows, half as often while it does not, between 10 and 120 s', () => {
  const pace = new CleanupPace();
  const intervals: number[] = [];
  let nowMs = 0;
  for (const entries of [10, 20, 30, 40, 30, 20, 10, 10, 0, 0]) {
    pace.cleaned({ entries, removed: 0 }, nowMs);
    intervals.push(pace.intervalMs);
    expect(pace.isDue(nowMs + pace.intervalMs - 1)).toBe(false);
    nowMs += pace.intervalMs;
    expect(pace.isDue(nowMs)).toBe(true);
  }
  expect(intervals).toEqual([
    30_000, 15_000, 10_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000, 120_000,
  ]);
  expect(pace.growthPerSec).toBe(0);
});
