/** How often a stage ran and how long it took; the shape of `pubsub_stages` in `/diagnostics/gossip`. */
export class StageTiming {
  #count = 0;
  #totalMs = 0;
  #maxMs = 0;
  #over1s = 0;
  #over5s = 0;
  #over30s = 0;

  get count(): number {
    return this.#count;
  }

  get totalMs(): number {
    return this.#totalMs;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  record(tookMs: number): void {
    this.#count += 1;
    this.#totalMs += tookMs;
    if (tookMs > this.#maxMs) this.#maxMs = tookMs;
    if (tookMs <= 1_000) return;
    this.#over1s += 1;
    if (tookMs > 5_000) this.#over5s += 1;
    if (tookMs > 30_000) this.#over30s += 1;
  }

  overCounts() {
    return { over_1s_count: this.#over1s, over_5s_count: this.#over5s, over_30s_count: this.#over30s };
  }

  toDocument() {
    return {
      count: this.#count,
      total_ns: Math.round(this.#totalMs * 1e6),
      max_ns: Math.round(this.#maxMs * 1e6),
      ...this.overCounts(),
    };
  }
}
