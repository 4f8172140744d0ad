const INTERVAL_MS = { shortest: 10_000, first: 60_000, longest: 120_000 } as const;

/** How often a table is cleaned: twice as often while it grows, half as often while it does not, 10 to 120 s apart. */
export class CleanupPace {
  intervalMs: number = INTERVAL_MS.first;
  growthPerSec = 0;
  lastRemoved = 0;
  #entries = 0;
  #cleanedAtMs = Number.NEGATIVE_INFINITY;

  isDue(nowMs: number): boolean {
    return nowMs - this.#cleanedAtMs >= this.intervalMs;
  }

  /** The table held `entries` when its cleaning began, and `removed` of them went. */
  cleaned({ entries, removed }: { readonly entries: number; readonly removed: number }, nowMs: number): void {
    const secs = (nowMs - this.#cleanedAtMs) / 1_000;
    const grown = entries - this.#entries;
    if (grown > 0) this.intervalMs = Math.max(INTERVAL_MS.shortest, this.intervalMs / 2);
    else this.intervalMs = Math.min(INTERVAL_MS.longest, this.intervalMs * 2);
    this.growthPerSec = Number.isFinite(secs) && secs > 0 ? grown / secs : 0;
    this.lastRemoved = removed;
    this.#entries = entries - removed;
    this.#cleanedAtMs = nowMs;
  }
}
