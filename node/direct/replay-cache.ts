import { BoundedMap } from '../../kit/bounded.ts';

/** What a request id means that a peer sends (again). */
export type ReplayFinding = 'new' | 'replayed' | 'conflict';

/**
 * Remembers which requests were admitted, so that a retry whose acknowledgement was lost is acknowledged again and not
 * delivered again. Keyed by (peer, request id) with the SHA-256 of the payload. 120 s as in the nearest system; four
 * times its 8,192 entries, because those last only 4 s at 2,000 messages a second and a retry may come after 6 s.
 */
export class ReplayCache {
  readonly #ttlMs: number;
  readonly #entries: BoundedMap<string, { readonly sha256: string; readonly atMs: number }>;

  constructor({ ttlMs = 120_000, maxEntries = 32_768 }: { ttlMs?: number; maxEntries?: number } = {}) {
    this.#ttlMs = ttlMs;
    this.#entries = new BoundedMap({ max: maxEntries });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries that had to make room before their time was over. */
  get evictedTotal(): number {
    return this.#entries.evicted;
  }

  /** Whether `key` was admitted before, and with the same payload. */
  find(key: string, sha256: string, nowMs: number): ReplayFinding {
    this.#expire(nowMs);
    const entry = this.#entries.get(key);
    if (entry === undefined) return 'new';
    return entry.sha256 === sha256 ? 'replayed' : 'conflict';
  }

  /** Call once per admitted request, never for a refused one: a refused message may still be admitted later. */
  remember(key: string, sha256: string, nowMs: number): void {
    this.#expire(nowMs);
    this.#entries.set(key, { sha256, atMs: nowMs });
  }

  #expire(nowMs: number): void {
    for (const [key, { atMs }] of this.#entries.entries()) {
      if (nowMs - atMs < this.#ttlMs) return; // insertion order is time order
      this.#entries.delete(key);
    }
  }
}
