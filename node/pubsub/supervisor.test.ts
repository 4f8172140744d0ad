import { describe, expect, it } from 'vitest';
import { type PumpSample, superviseWorkers } from './supervisor.ts';

const healthy: PumpSample = {
  intervalSecs: 5,
  produced: 100,
  dequeued: 100,
  droppedFull: 0,
  depth: 0,
  capacity: 10_000,
  meanHandlerMs: 5,
  watchdogTimeouts: 0,
  sendTimeouts: 0,
};
const calm = { workers: 8, healthyIntervals: 0 };
const next = (change: Partial<PumpSample>) => superviseWorkers(calm, { ...healthy, ...change }).workers;

describe('worker supervisor', () => {
  it.each([
    ['a drop', { droppedFull: 1 }, 32],
    ['a half full queue', { depth: 5_000 }, 32],
    ['production a fifth above consumption', { produced: 120 }, 12],
    ['slow handlers', { meanHandlerMs: 1_000 }, 9],
    ['the watchdog', { watchdogTimeouts: 1 }, 9],
    ['many send timeouts', { sendTimeouts: 100 }, 32],
    ['a trifle', { produced: 105, meanHandlerMs: 999 }, 8],
  ] as const)('answers %s', (_name, change, workers) => {
    expect(next(change)).toBe(workers);
  });

  it('gives one worker back after five healthy minutes, and never the last', () => {
    let state = calm;
    for (let at = 0; at < 59; at += 1) state = superviseWorkers(state, healthy);
    expect(state.workers).toBe(8);
    state = superviseWorkers(state, healthy);
    expect(state.workers).toBe(7);
    for (let at = 0; at < 60 * 20; at += 1) state = superviseWorkers(state, healthy);
    expect(state.workers).toBe(1);
  });

  it('counts healthy minutes anew after any trouble', () => {
    let state = superviseWorkers({ workers: 8, healthyIntervals: 59 }, { ...healthy, meanHandlerMs: 300 });
    expect(state).toEqual({ workers: 8, healthyIntervals: 0 });
    state = superviseWorkers({ workers: 8, healthyIntervals: 59 }, { ...healthy, watchdogTimeouts: 1 });
    expect(state).toEqual({ workers: 9, healthyIntervals: 0 });
  });
});
