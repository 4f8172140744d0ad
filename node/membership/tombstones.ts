import { BoundedMap } from '../../kit/bounded.ts';

const POOL_REST_MS = 120_000; // the other side had no room; asking sooner only adds to its load
const MAX_TOMBSTONES = 4_096;

/** Why something is not dialled: it is this node itself, it refused us by policy, or it had no room for us. */
export type BurialReason = 'self' | 'policy' | 'pool';

export interface Tombstone {
  readonly target: string;
  readonly reason: BurialReason;
  /** `null`: for as long as this process runs. */
  readonly remainingMs: number | null;
}

/** What is not dialled for now (`pool`, 120 s) or for the rest of the run (`self`, `policy`). */
export class Tombstones {
  readonly #untilMs = new BoundedMap<string, { readonly reason: BurialReason; readonly untilMs: number }>({
    max: MAX_TOMBSTONES,
  });

  bury(target: string, reason: BurialReason, nowMs: number): void {
    this.#untilMs.set(target, {
      reason,
      untilMs: reason === 'pool' ? nowMs + POOL_REST_MS : Number.POSITIVE_INFINITY,
    });
  }

  lift(target: string): void {
    this.#untilMs.delete(target);
  }

  isBuried(target: string, nowMs: number): boolean {
    const stone = this.#untilMs.get(target);
    if (stone === undefined) return false;
    if (stone.untilMs > nowMs) return true;
    this.#untilMs.delete(target);
    return false;
  }

  list(nowMs: number): readonly Tombstone[] {
    return [...this.#untilMs.entries()]
      .filter(([, stone]) => stone.untilMs > nowMs)
      .map(([target, { reason, untilMs }]) => ({
        target,
        reason,
        remainingMs: Number.isFinite(untilMs) ? untilMs - nowMs : null,
      }));
  }
}
