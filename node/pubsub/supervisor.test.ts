import { describe, expect, it } from 'vitest';
import { type PumpSample, superviseWorkers } from './supervisor.ts';

const healthy: PumpSample = {
  intervalSecs: 5,
  produced: 100,
  dequeued: 100,
  droppedFull: 0,
  pauses: 0,
  depth: 0,
  capacity: 10_000,
  meanHandlerMs: 5,
  watchdogTimeouts: 0,
  sendTimeouts: 0,
};
const calm = { workers: 20, healthyIntervals: 0 };
const next = (change: Partial<PumpSample>) => superviseWorkers(calm, { ...healthy, ...change }).workers;

describe('worker supervisor', () => {
  it.each([
    ['a drop', { droppedFull: 1 }, 32],
    ['a peer that was not read on', { pauses: 1 }, 32],
    ['a half full queue', { depth: 5_000 }, 32],
    ['production a tenth above consumption', { produced: 110 }, 28],
    ['slow handlers', { meanHandlerMs: 1_000 }, 21],
    ['the watchdog', { watchdogTimeouts: 1 }, 21],
    ['many send timeouts', { sendTimeouts: 100 }, 32],
    ['a trifle', { produced: 105, meanHandlerMs: 999 }, 20],
  ] as const)('answers %s', (_name, change, workers) => {
    expect(next(change)).toBe(workers);
  });

  it('gives one worker back after five healthy minutes, down to 16', () => {
    let state = calm;
    for (let at = 0; at < 59; at += 1) state = superviseWorkers(state, healthy);
    expect(state.workers).toBe(20);
    state = superviseWorkers(state, healthy);
    expect(state.workers).toBe(19);
    for (let at = 0; at < 60 * 20; at += 1) state = superviseWorkers(state, healthy);
    expect(state.workers).toBe(16);
  });

  it('counts healthy minutes anew after any trouble', () => {
    let state = superviseWorkers({ workers: 20, healthyIntervals: 59 }, { ...healthy, meanHandlerMs: 300 });
    expect(state).toEqual({ workers: 20, healthyIntervals: 0 });
    state = superviseWorkers({ workers: 20, healthyIntervals: 59 }, { ...healthy, watchdogTimeouts: 1 });
    expect(state).toEqual({ workers: 21, healthyIntervals: 0 });
  });
});
