import { BoundedMap } from '../kit/bounded.ts';
import type { Result } from './protocol.ts';

/** At most this many results wait to be read, each at most this long (ms). */
export const RESULT_STORE = { max: 1_024, maxAgeMs: 300_000 } as const;

/** A result before the store numbers it. */
export type UnnumberedResult = Omit<Result, 'seq' | 'results_dropped_total'>;

interface Kept {
  readonly result: Result;
  readonly atMs: number;
  isDelivered: boolean;
}

/**
 * The results of one runner process, numbered from 1. A reader names the last number that it has; results stay until
 * they are too old or too many, so that a reader whose connection broke loses and doubles nothing. Time comes in.
 */
export class ResultStore {
  readonly #maxAgeMs: number;
  readonly #bySeq: BoundedMap<number, Kept>;
  readonly #listeners = new Set<() => void>();
  #lastSeq = 0;
  #readUpTo = 0;
  #droppedUnread = 0;

  constructor({ max, maxAgeMs }: { readonly max: number; readonly maxAgeMs: number } = RESULT_STORE) {
    this.#maxAgeMs = maxAgeMs;
    this.#bySeq = new BoundedMap({ max, onEvict: (seq, kept) => this.#gone(seq, kept) });
  }

  /** Results that gave way before any reader had them. */
  get droppedUnread(): number {
    return this.#droppedUnread;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get size(): number {
    return this.#bySeq.size;
  }

  push(result: UnnumberedResult, nowMs: number): Result {
    this.#expire(nowMs);
    const seq = this.#lastSeq + 1;
    const numbered = { ...result, seq, results_dropped_total: this.#droppedUnread };
    this.#lastSeq = seq;
    this.#bySeq.set(seq, { result: numbered, atMs: nowMs, isDelivered: false });
    for (const tell of [...this.#listeners]) tell();
    return numbered;
  }

  /** A result reached its reader by another way than `read`. */
  markDelivered(seq: number): void {
    const kept = this.#bySeq.get(seq);
    if (kept) kept.isDelivered = true;
  }

  /** Up to `limit` results after number `after`, and how many of those asked for are gone for good. */
  read(
    { after, limit }: { readonly after: number; readonly limit: number },
    nowMs: number,
  ): { readonly results: readonly Result[]; readonly nextAfter: number; readonly missed: number } {
    this.#expire(nowMs);
    this.#readUpTo = Math.min(Math.max(this.#readUpTo, after), this.#lastSeq);
    const from = Math.min(after, this.#lastSeq);
    const firstKept = this.#bySeq.keys().next().value ?? this.#lastSeq + 1;
    const start = Math.max(from + 1, firstKept);
    const results: Result[] = [];
    for (let seq = start; seq <= this.#lastSeq && results.length < limit; seq += 1) {
      const kept = this.#bySeq.get(seq);
      if (kept) results.push(kept.result);
    }
    return { results, nextAfter: start - 1 + results.length, missed: start - 1 - from };
  }

  /** Calls back after each push; gives a function that stops it. */
  onPush(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #expire(nowMs: number): void {
    for (const [seq, kept] of this.#bySeq.entries()) {
      if (nowMs - kept.atMs <= this.#maxAgeMs) break;
      this.#bySeq.delete(seq);
      this.#gone(seq, kept);
    }
  }

  #gone(seq: number, { isDelivered }: Kept): void {
    if (seq > this.#readUpTo && !isDelivered) this.#droppedUnread += 1;
  }
}
