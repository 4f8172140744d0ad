import { expect, test } from 'vitest';
import { isSilent, silenceLimitMs } from './silence.ts';

test('a link is given 5 s; 2 s when it was quiet before; four round trips at least', () => {
  expect(silenceLimitMs({ quietMs: 100, rttMs: 1 })).toBe(5_000);
  expect(silenceLimitMs({ quietMs: 25_000, rttMs: 1 })).toBe(2_000);
  expect(silenceLimitMs({ quietMs: 25_000, rttMs: null })).toBe(2_000);
  expect(silenceLimitMs({ quietMs: 100, rttMs: 1_700 })).toBe(6_800);
  expect(silenceLimitMs({ quietMs: 25_000, rttMs: 1_700 })).toBe(6_800);
});

test('only what was wholly silent since the message is silent', () => {
  expect(isSilent({ quietMs: 3_100, rttMs: 1 }, 3_000, 3_000)).toBe(true);
  expect(isSilent({ quietMs: 2_000, rttMs: 1 }, 3_000, 3_000)).toBe(false); // something came a second after it
  expect(isSilent({ quietMs: 9_000, rttMs: 1 }, 3_000, 2_999)).toBe(false);
});
