import { readBurstPayload } from './burst-payload.ts';

const MISSING_NAMED_MAX = 32;

/** Takes the messages of one burst as they come to one subscriber. Pure: time comes in. */
export class Collection {
  readonly #burstId: string;
  readonly #expected: number;
  readonly #have: Uint8Array;
  readonly #latenciesMs: number[] = [];
  #duplicates = 0;
  #corrupted = 0;
  #foreign = 0;
  #unverified = 0;

  constructor(burstId: string, expected: number) {
    this.#burstId = burstId;
    this.#expected = expected;
    this.#have = new Uint8Array(expected);
  }

  get isComplete(): boolean {
    return this.#latenciesMs.length === this.#expected;
  }

  take(message: { readonly payload: Uint8Array; readonly verified: boolean }, nowUnixMs: number): void {
    const reading = readBurstPayload(message.payload);
    if (reading.found === 'foreign') {
      this.#foreign += 1;
      return;
    }
    if (reading.found === 'corrupted') {
      this.#corrupted += 1;
      return;
    }
    const { burstId, seq, sentUnixMs } = reading.message;
    if (burstId !== this.#burstId || seq >= this.#expected) {
      this.#foreign += 1;
    } else if (!message.verified) {
      this.#unverified += 1;
    } else if (this.#have[seq] === 1) {
      this.#duplicates += 1;
    } else {
      this.#have[seq] = 1;
      this.#latenciesMs.push(nowUnixMs - sentUnixMs);
    }
  }

  /** What came, in the names of the wire. */
  summary() {
    const missing: number[] = [];
    for (let seq = 0; seq < this.#expected && missing.length < MISSING_NAMED_MAX; seq += 1) {
      if (this.#have[seq] === 0) missing.push(seq);
    }
    return {
      expected: this.#expected,
      delivered: this.#latenciesMs.length,
      duplicates: this.#duplicates,
      corrupted: this.#corrupted,
      foreign: this.#foreign,
      unverified: this.#unverified,
      latency_ms: latencyOf(this.#latenciesMs),
      missing_seqs: missing,
    };
  }
}

/** Nearest-rank percentiles; null of nothing. Clocks of two hosts may make a latency negative: it stays so. */
function latencyOf(latenciesMs: readonly number[]): { p50: number; p99: number; max: number } | null {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  const [p50, p99, max] = [rank(0.5), rank(0.99), sorted.at(-1)];
  return p50 === undefined || p99 === undefined || max === undefined ? null : { p50, p99, max };
}
