import type { AckDocument } from '../api/schema/ack.ts';

export type StageTimings = AckDocument['ack']['peers'][number]['stages']['sender_open_bi'];

const MAX_SAMPLES = 2_048;

export const NO_TIMINGS: StageTimings = {
  count: 0,
  p50_ms: null,
  p95_ms: null,
  p99_ms: null,
  p999_ms: null,
  max_ms: null,
};

/**
 * Durations of one stage inside one minute. Percentiles are nearest-rank over the last 2,048 samples; `count` and
 * `max_ms` are of all.
 */
export class StageTimes {
  readonly #samplesMs: number[] = [];
  #count = 0;
  #maxMs = 0;

  add(durationMs: number): void {
    this.#samplesMs[this.#count % MAX_SAMPLES] = durationMs;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, durationMs);
  }

  summary(): StageTimings {
    const sorted = Float64Array.from(this.#samplesMs).sort();
    const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
    if (this.#count === 0) return NO_TIMINGS;
    return {
      count: this.#count,
      p50_ms: rank(0.5),
      p95_ms: rank(0.95),
      p99_ms: rank(0.99),
      p999_ms: rank(0.999),
      max_ms: this.#maxMs,
    };
  }
}
