import { describe, expect, it } from 'vitest';
import { gridOf, nextStep, offsetOf } from './window-grid.ts';

const MINUTE = 60_000;

describe('the window grid', () => {
  it('fits as many whole intervals as the soak is long', () => {
    expect(gridOf({ durationMs: 12 * 60 * MINUTE, intervalMs: 30 * MINUTE }).count).toBe(24);
    expect(gridOf({ durationMs: 0.025 * 60 * MINUTE, intervalMs: 0.5 * MINUTE }).count).toBe(3);
    expect(gridOf({ durationMs: 100, intervalMs: 60 }).count).toBe(1);
  });

  it('is one window for a single run', () => {
    expect(gridOf(null)).toEqual({ count: 1, intervalMs: 0 });
  });

  it('waits for the slot, and starts in it', () => {
    const grid = { count: 3, intervalMs: MINUTE };
    expect(nextStep(grid, 2, 20_000)).toEqual({ wait: 40_000 });
    expect(nextStep(grid, 2, MINUTE)).toEqual({ start: { lateMs: 0 } });
    expect(nextStep(grid, 3, 2 * MINUTE + 500)).toEqual({ start: { lateMs: 500 } });
  });

  it('does not drift: a slow window makes the next late, not later ones', () => {
    const grid = { count: 3, intervalMs: MINUTE };
    expect(nextStep(grid, 2, 90_000)).toEqual({ start: { lateMs: 30_000 } });
    expect(offsetOf(grid, 3)).toBe(2 * MINUTE);
  });

  it('gives a window up when its whole slot went by', () => {
    const grid = { count: 3, intervalMs: MINUTE };
    expect(nextStep(grid, 2, 2 * MINUTE)).toHaveProperty('missed');
  });
});
