const COLD_MS = 2_500;
const FACTOR = 2.5;
const FLOOR_MS = 1_500;
const CEILING_MS = 10_000;
const SAMPLES = 32;

/**
 * How long a send to one peer may take: 2500 ms before anything is known, then 2.5 times the 95th percentile of its
 * last 32 successful sends, between 1.5 and 10 s. Source: saorsa-gossip; 750 ms proved too short at 300 ms RTT.
 */
export class SendTimeout {
  readonly #tookMs: number[] = [];
  #next = 0;

  sent(tookMs: number): void {
    this.#tookMs[this.#next] = tookMs;
    this.#next = (this.#next + 1) % SAMPLES;
  }

  limitMs(): number {
    if (this.#tookMs.length === 0) return COLD_MS;
    const sorted = this.#tookMs.toSorted((a, b) => a - b);
    const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1] ?? COLD_MS;
    return Math.min(CEILING_MS, Math.max(FLOOR_MS, FACTOR * p95));
  }
}
