import { expect, test } from 'vitest';
import { judgeArrival, type RequestArrival } from './request-watch.ts';

const arrivalOf = (receivedBytes: number): RequestArrival => ({ receivedBytes, seen: undefined });

test('a request that stands still for the whole time expires, and not before', () => {
  const arrival = arrivalOf(10_000_000);
  expect(judgeArrival(arrival, 10_000, 0)).toBe('arriving');
  expect(judgeArrival(arrival, 10_000, 9_999)).toBe('arriving');
  expect(judgeArrival(arrival, 10_000, 10_000)).toBe('expired');
});

test('a large request on a slow link stays as long as it keeps its pace', () => {
  const arrival = arrivalOf(0);
  for (let secs = 0; secs <= 200; secs += 1) {
    arrival.receivedBytes = secs * 80_000;
    expect(judgeArrival(arrival, 10_000, secs * 1_000)).toBe('arriving');
  }
});

test('a byte now and then does not keep a request', () => {
  const arrival = arrivalOf(0);
  let expiredAtSecs = 0;
  for (let secs = 0; secs < 60 && expiredAtSecs === 0; secs += 1) {
    arrival.receivedBytes += 1;
    if (judgeArrival(arrival, 10_000, secs * 1_000) === 'expired') expiredAtSecs = secs;
  }
  expect(expiredAtSecs).toBe(11);
});
