import type { Problem } from './problem.ts';

/** A problem that waiting does not mend may still be a glimpse between two states; not one that stands this long. */
const HOPELESS_AFTER_MS = 5_000;

/** Tells when it is of no use to wait any longer for hosts to become as they should be. Pure. */
export class Patience {
  readonly #lastingSinceMs = new Map<string, number>();

  /** Whether one of `problems`, as they were found at `nowMs`, may yet mend by itself. */
  mayMend(problems: readonly Problem[], nowMs: number): boolean {
    const lasting = new Set(problems.filter((problem) => problem.lasting).map(({ host }) => host));
    for (const host of this.#lastingSinceMs.keys()) if (!lasting.has(host)) this.#lastingSinceMs.delete(host);
    for (const host of lasting) if (!this.#lastingSinceMs.has(host)) this.#lastingSinceMs.set(host, nowMs);
    const isHopeless = (host: string) =>
      nowMs - (this.#lastingSinceMs.get(host) ?? Number.POSITIVE_INFINITY) >= HOPELESS_AFTER_MS;
    // A connection cannot come while one of its ends is beyond hope; other hosts keep all of their time.
    return problems.some(({ host, peer }) => !isHopeless(host) && !(peer !== undefined && isHopeless(peer)));
  }
}
