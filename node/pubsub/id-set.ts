import { BUCKETS } from './control-frame.ts';

const ZERO = '0000000000000000';

/**
 * The fingerprint of a changing set of message ids: for each of 64 buckets the exclusive-or of the first 8 bytes of
 * its ids. Equal sets have equal fingerprints; unequal ones differ but for a chance of 2^-64, or when an origin
 * forges ids to cancel out, which hides only its own messages. Adding and removing are the same operation.
 */
export class IdSet {
  readonly #words = new Int32Array(BUCKETS * 2);
  #high = 0;
  #low = 0;

  /** Adds an absent id or removes a present one. */
  toggle(id: string): void {
    const high = Number.parseInt(id.slice(0, 8), 16);
    const low = Number.parseInt(id.slice(8, 16), 16);
    const at = bucketOf(id) * 2;
    this.#words[at] = (this.#words[at] ?? 0) ^ high;
    this.#words[at + 1] = (this.#words[at + 1] ?? 0) ^ low;
    this.#high ^= high;
    this.#low ^= low;
  }

  /** The fingerprint of the whole set, 16 hex. */
  hash(): string {
    return wordsToHex(this.#high, this.#low);
  }

  bucketHashes(): string[] {
    return Array.from({ length: BUCKETS }, (_, at) =>
      wordsToHex(this.#words[at * 2], this.#words[at * 2 + 1]),
    );
  }
}

/** The bucket of an id: six bits that the set hash does not use. */
export function bucketOf(id: string): number {
  return Number.parseInt(id.slice(16, 18), 16) % BUCKETS;
}

/** A set of buckets as a 64-bit mask, 16 hex. */
export function maskOf(buckets: Iterable<number>): string {
  let mask = 0n;
  for (const bucket of buckets) mask |= 1n << BigInt(bucket);
  return mask.toString(16).padStart(16, '0');
}

export function bucketsIn(mask: string): ReadonlySet<number> {
  const bits = BigInt(`0x${mask}`);
  const buckets = new Set<number>();
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) if ((bits >> BigInt(bucket)) & 1n) buckets.add(bucket);
  return buckets;
}

/** The bucket hashes of a set without ids. */
export function emptyBucketHashes(): string[] {
  return Array.from({ length: BUCKETS }, () => ZERO);
}

export const EMPTY_SET_HASH = ZERO;

function wordsToHex(high = 0, low = 0): string {
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
}
