import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Seeded randomness. The seed is evidence: print it, record it, and the same choices can be made again. */
export class Random {
  readonly seed: number;
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.seed = seed | 0;
    this.#generator = xoroshiro128plus(this.seed);
  }

  /** A fresh 31-bit seed, for when the operator gave none. */
  static freshSeed(): number {
    return Math.floor(Math.random() * 0x7fff_ffff);
  }

  /** A whole number in [low, high]. */
  int(low: number, high: number): number {
    return uniformInt(this.#generator, low, high);
  }

  /** A number in [0, 1). */
  float(): number {
    return this.int(0, 0x7fff_fffe) / 0x7fff_ffff;
  }

  /** `value` moved by up to `share` of itself either way. */
  jitter(value: number, share: number): number {
    return value * (1 + (this.float() * 2 - 1) * share);
  }

  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let at = shuffled.length - 1; at > 0; at -= 1) {
      const other = this.int(0, at);
      const [a, b] = [shuffled[at] as T, shuffled[other] as T];
      shuffled[at] = b;
      shuffled[other] = a;
    }
    return shuffled;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.int(0, 255);
    return bytes;
  }
}
