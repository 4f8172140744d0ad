import { describe, expect, it } from 'vitest';
import { RateAllowance } from './rate-allowance.ts';

const LIMITS = { windowMs: 1_000, perWindow: 2, maxKeys: 2 };

describe('the allowance of many parties', () => {
  it('admits so many in a window, and anew in the next', () => {
    const allowance = new RateAllowance(LIMITS);
    const answers = [0, 1, 999, 1_000].map((nowMs) => allowance.admits('a', nowMs));
    expect(answers).toEqual([true, true, false, true]);
  });

  it('lets no party spend what another has', () => {
    const allowance = new RateAllowance(LIMITS);
    for (let ask = 0; ask < 5; ask += 1) allowance.admits('a', 0);
    expect(allowance.admits('b', 0)).toBe(true);
  });
});
