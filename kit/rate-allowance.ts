import { BoundedMap } from './bounded.ts';

/** How much of something each of many parties may ask for; those past `maxKeys` are forgotten, oldest first. */
export interface RateLimits {
  readonly windowMs: number;
  readonly perWindow: number;
  readonly maxKeys: number;
}

/** Counts what each party asked for in windows that begin with its first request. Owns no clock. */
export class RateAllowance {
  readonly #limits: RateLimits;
  readonly #windows: BoundedMap<string, { readonly sinceMs: number; count: number }>;

  constructor(limits: RateLimits) {
    this.#limits = limits;
    this.#windows = new BoundedMap({ max: limits.maxKeys });
  }

  /** Whether one more request of `key` at `nowMs` is within its allowance. */
  admits(key: string, nowMs: number): boolean {
    const window = this.#windows.get(key);
    if (window === undefined || nowMs - window.sinceMs >= this.#limits.windowMs) {
      this.#windows.delete(key);
      this.#windows.set(key, { sinceMs: nowMs, count: 1 });
      return true;
    }
    window.count += 1;
    return window.count <= this.#limits.perWindow;
  }
}
