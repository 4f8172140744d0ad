import { type Clock, realClock } from '../../kit/clock.ts';

const LOOK_MS = 10;
const MOST_AT_ONCE_MS = 100;

let [ranMs, lookedMs] = [0, realClock.nowMs()];
let isLooking = false;

/**
 * Real time as far as this process could use it: while the process or its whole machine stands still, so does the
 * clock. For tests of rules that give others a time to answer, when those others live in the same process.
 */
export const steadyClock: Clock = {
  nowMs() {
    if (!isLooking) setInterval(look, LOOK_MS).unref();
    isLooking = true;
    return look();
  },
  wallMs: realClock.wallMs,
  async sleep(ms, signal) {
    const untilMs = steadyClock.nowMs() + ms;
    for (let leftMs = ms; leftMs > 0; leftMs = untilMs - steadyClock.nowMs())
      await realClock.sleep(Math.min(leftMs, 2 * LOOK_MS), signal);
    signal?.throwIfAborted();
  },
};

function look(): number {
  const nowMs = realClock.nowMs();
  ranMs += Math.min(nowMs - lookedMs, MOST_AT_ONCE_MS);
  lookedMs = nowMs;
  return ranMs;
}

/** Real time, and as much more as a test says. */
export class ShiftedClock implements Clock {
  aheadMs = 0;
  readonly wallMs = realClock.wallMs;
  readonly sleep = realClock.sleep;
  nowMs(): number {
    return realClock.nowMs() + this.aheadMs;
  }
}
