import { expect, test } from 'vitest';
import { judgeVitals } from './link-watch.ts';

const limits = { idleTimeoutMs: 30_000, keepAliveMs: 15_000, stallMs: 10_000 };
const now = 100_000;
const busy = { lastSentMs: now, lastReceivedMs: now, queuedBytes: 0, stuckSinceMs: now };

test('a link with traffic needs nothing', () => {
  expect(judgeVitals(busy, limits, now)).toBe('fine');
});

test('a link quiet for the keep-alive time is pinged', () => {
  const quiet = { ...busy, lastSentMs: now - 15_000, lastReceivedMs: now - 15_000 };
  expect(judgeVitals(quiet, limits, now)).toBe('ping');
  expect(judgeVitals({ ...quiet, lastReceivedMs: now - 14_999 }, limits, now)).toBe('fine');
});

test('a peer that is not heard for the idle timeout is gone, however much we sent', () => {
  expect(judgeVitals({ ...busy, lastReceivedMs: now - 30_000 }, limits, now)).toBe('silent');
});

test('a queue that does not move is probed first', () => {
  const stuck = { ...busy, queuedBytes: 1, lastSentMs: now - 5_000, stuckSinceMs: now - 5_000 };
  expect(judgeVitals(stuck, limits, now)).toBe('ping');
});

test('a queue that does not move while not even a probe leaves has stalled for good', () => {
  const stuck = { ...busy, queuedBytes: 1, lastSentMs: now - 10_000, stuckSinceMs: now - 10_000 };
  expect(judgeVitals(stuck, limits, now)).toBe('stalled');
});

test('a peer that reads slowly lets probes out and keeps its link', () => {
  const slow = { ...busy, queuedBytes: 1, lastSentMs: now - 4_000, stuckSinceMs: now - 25_000 };
  expect(judgeVitals(slow, limits, now)).toBe('fine');
});
