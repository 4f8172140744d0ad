/** A count that forgets: half of it is gone after this long. Source: score tallies of saorsa-gossip. */
const HALF_LIFE_MS = 300_000;

/** How much of something happened lately. Decisions read it; the counters of `/diagnostics` never shrink. */
export class DecayingCount {
  #value = 0;
  #atMs = 0;

  add(amount: number, nowMs: number): void {
    this.#value = this.at(nowMs) + amount;
    this.#atMs = nowMs;
  }

  at(nowMs: number): number {
    return this.#value === 0 ? 0 : this.#value * 0.5 ** ((nowMs - this.#atMs) / HALF_LIFE_MS);
  }
}
