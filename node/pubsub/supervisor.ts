/**
 * A handler only waits: its signature is checked on another thread, and seen at the next turn of the event loop. Where
 * processors are short a turn takes 0.3 s, and to begin with 8, as the nearest system does, would be some 30 messages per
 * second: frames of a burst of 200 waited 1 to 3.5 s for their turn.
 */
const MIN_WORKERS = 16;
const MAX_WORKERS = 32;
export const START_WORKERS = 32;
/** Five minutes of healthy intervals before one handler fewer. */
const HEALTHY_INTERVALS = 60;
export const SUPERVISE_EVERY_MS = 5_000;
const SEND_TIMEOUT_COST_SECS = 0.75;
const SEND_TIMEOUT_SHARE = 0.3;

/** What happened since the last look. */
export interface PumpSample {
  readonly intervalSecs: number;
  readonly produced: number;
  readonly dequeued: number;
  readonly droppedFull: number;
  /** Times that a peer was not read on, since too much of it waited. */
  readonly pauses: number;
  readonly depth: number;
  readonly capacity: number;
  readonly meanHandlerMs: number;
  readonly watchdogTimeouts: number;
  readonly sendTimeouts: number;
}

export interface Supervision {
  readonly workers: number;
  readonly healthyIntervals: number;
}

/**
 * How many handlers may run at once after this interval. Source: the worker supervisor of x0x (growth is quick, and
 * shrinking takes five healthy minutes per step).
 */
export function superviseWorkers(
  { workers, healthyIntervals }: Supervision,
  sample: PumpSample,
): Supervision {
  const target = Math.min(MAX_WORKERS, Math.max(MIN_WORKERS, wantedWorkers(workers, sample)));
  if (target > workers) return { workers: target, healthyIntervals: 0 };
  if (!isHealthy(sample)) return { workers, healthyIntervals: 0 };
  if (healthyIntervals + 1 < HEALTHY_INTERVALS) return { workers, healthyIntervals: healthyIntervals + 1 };
  return { workers: Math.max(MIN_WORKERS, workers - 1), healthyIntervals: 0 };
}

function wantedWorkers(workers: number, sample: PumpSample): number {
  if (sample.droppedFull > 0 || sample.pauses > 0 || sample.depth >= sample.capacity / 2) return MAX_WORKERS;
  let wanted = workers;
  const ratio = sample.dequeued > 0 ? sample.produced / sample.dequeued : sample.produced > 0 ? 2 : 1;
  if (ratio >= 1.1) wanted = Math.ceil(workers * ratio * 1.25);
  if (sample.meanHandlerMs >= 1_000) wanted = Math.max(wanted, workers + 1);
  if (sample.watchdogTimeouts / sample.intervalSecs >= 0.1) wanted = Math.max(wanted, workers + 1);
  const timeoutRate = sample.sendTimeouts / sample.intervalSecs;
  if ((timeoutRate * SEND_TIMEOUT_COST_SECS) / workers >= SEND_TIMEOUT_SHARE) {
    wanted = Math.max(wanted, Math.ceil((timeoutRate * SEND_TIMEOUT_COST_SECS) / SEND_TIMEOUT_SHARE));
  }
  return wanted;
}

function isHealthy(sample: PumpSample): boolean {
  return (
    sample.depth < sample.capacity * 0.05 &&
    sample.produced <= sample.dequeued &&
    sample.meanHandlerMs < 200 &&
    sample.watchdogTimeouts === 0 &&
    sample.sendTimeouts === 0 &&
    sample.droppedFull === 0 &&
    sample.pauses === 0
  );
}
