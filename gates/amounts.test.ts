import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VERDICTS } from '../proofs/evidence.ts';
import { missing } from '../proofs/observation.ts';
import { addAmounts, compared, count, listed, pool, reading, unread } from './amounts.ts';
import { worstOf } from './combine.ts';

describe('a ratio', () => {
  test('of bad events is 0 without events, even over nothing', () => {
    expect(compared({ kind: 'events', part: 0, whole: 0 })).toEqual({ seen: 0 });
    expect(compared({ kind: 'events', part: 0, whole: 9 })).toEqual({ seen: 0 });
  });

  test('of bad events over nothing is infinity', () => {
    expect(compared({ kind: 'events', part: 3, whole: 0 })).toEqual({ seen: 'infinity' });
  });

  test('of what arrived is not seen when nothing was planned', () => {
    expect(compared({ kind: 'coverage', part: 0, whole: 0 })).toMatchObject({ missing: 'absent' });
  });

  test('of several places is pooled, not averaged', () => {
    const sum = addAmounts({ kind: 'events', part: 1, whole: 1 }, { kind: 'events', part: 0, whole: 99 });
    expect(compared(sum)).toEqual({ seen: 0.01 });
  });
});

describe('pooled readings', () => {
  test('keep what was seen and name what was not', () => {
    const pooled = pool([reading(count(2)), unread(missing('stale', 'old')), reading(count(3))]);
    expect(pooled).toEqual({ seen: count(5), missing: ['stale: old'] });
  });

  test('of two kinds are a mistake of the metric', () => {
    expect(() => addAmounts(count(1), { kind: 'gauge', value: 1 })).toThrow(TypeError);
  });

  test('take the worst of several recoveries, never being the worst of all', () => {
    const slow = { kind: 'worst', value: 90 } as const;
    expect(addAmounts(slow, { kind: 'worst', value: 3 })).toEqual(slow);
    expect(addAmounts(slow, { kind: 'worst', value: 'infinity' })).toMatchObject({ value: 'infinity' });
  });
});

test('a list of reasons stays short and counts the rest', () => {
  expect(listed(['a', 'b', 'c', 'd', 'e'])).toBe('a; b; c; and 2 more');
});

test('the worst verdict wins, whatever the order, and nothing judged is INCONCLUSIVE', () => {
  expect(worstOf([])).toBe('INCONCLUSIVE');
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...VERDICTS), { minLength: 1 }), (words) => {
      const worst = Math.max(...words.map((word) => VERDICTS.indexOf(word)));
      expect(worstOf(words)).toBe(VERDICTS[worst]);
    }),
  );
});
