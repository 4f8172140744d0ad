import { expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { steadyClock } from './fixture-clocks.ts';

it('the steady clock hardly moves while the process stands still, nor do those who sleep by it', async () => {
  const beforeMs = steadyClock.nowMs();
  let hasWoken = false;
  const sleeping = steadyClock.sleep(500).then(() => {
    hasWoken = true;
  });
  const untilMs = realClock.nowMs() + 600;
  while (realClock.nowMs() < untilMs);
  expect(steadyClock.nowMs() - beforeMs).toBeLessThan(250);
  await new Promise(setImmediate);
  expect(hasWoken).toBe(false);
  await sleeping;
  expect(steadyClock.nowMs() - beforeMs).toBeGreaterThanOrEqual(500);
});
