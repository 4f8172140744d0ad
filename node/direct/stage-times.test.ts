import { expect, test } from 'vitest';
import { StageTimes } from './stage-times.ts';

test('percentiles are null before the first sample and nearest-rank after it', () => {
  const times = new StageTimes();
  expect(times.summary()).toEqual({
    count: 0,
    p50_ms: null,
    p95_ms: null,
    p99_ms: null,
    p999_ms: null,
    max_ms: null,
  });
  for (let ms = 100; ms >= 1; ms -= 1) times.add(ms);
  expect(times.summary()).toEqual({
    count: 100,
    p50_ms: 50,
    p95_ms: 95,
    p99_ms: 99,
    p999_ms: 100,
    max_ms: 100,
  });
});

test('beyond 2,048 samples the newest are kept, while count and maximum are of all', () => {
  const times = new StageTimes();
  times.add(9_000);
  for (let at = 0; at < 2_048; at += 1) times.add(1);
  expect(times.summary()).toEqual({
    count: 2_049,
    p50_ms: 1,
    p95_ms: 1,
    p99_ms: 1,
    p999_ms: 1,
    max_ms: 9_000,
  });
});
