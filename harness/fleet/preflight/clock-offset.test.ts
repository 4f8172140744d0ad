import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimateOffset } from './clock-offset.ts';

test('the true offset is within the uncertainty, however the way there and back share the time', () => {
  const answer = fc.record({
    sentMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    thereMs: fc.double({ min: 0, max: 500, noNaN: true }),
    backMs: fc.double({ min: 0, max: 500, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.array(answer, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: -1e6, max: 1e6 }),
      (asked, trueMs) => {
        const estimate = estimateOffset(
          asked.map(({ sentMs, thereMs, backMs }) => ({
            sentWallMs: Math.floor(sentMs),
            roundTripMs: thereMs + backMs,
            hostWallMs: sentMs + thereMs + trueMs,
          })),
        );
        expect(Math.abs((estimate?.offsetMs ?? Number.NaN) - trueMs)).toBeLessThanOrEqual(
          (estimate?.uncertaintyMs ?? 0) + 1e-6,
        );
      },
    ),
  );
});

test('the quickest answer counts', () => {
  const slow = { sentWallMs: 0, roundTripMs: 900, hostWallMs: 900 };
  const quick = { sentWallMs: 1_000, roundTripMs: 9, hostWallMs: 1_005 };
  expect(estimateOffset([slow, quick, slow])).toEqual({ offsetMs: 0, uncertaintyMs: 5 });
  expect(estimateOffset([])).toBeNull();
});
