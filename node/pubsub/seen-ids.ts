import type { AgentId, PeerId } from '../transport/transport.ts';

/** How the first verified copy of a message came. */
export interface SeenMessage {
  readonly topic: string;
  readonly origin: AgentId;
  /** Who sent the first copy; `null` for our own. */
  readonly from: PeerId | null;
  readonly hops: number;
  readonly atMs: number;
  /** Peers that were asked for it, whose copies are answers and no reason to prune. */
  readonly asked: ReadonlySet<PeerId> | null;
  /** When the first announcement overtook the first copy; `null` when none did. */
  readonly announcedAtMs: number | null;
}

/** Ids must outlive the 60 s of the caches and a 30 s round of anti-entropy after it. */
const SEEN_KEPT_MS = 120_000;
const SEEN_EXPIRED_MS = 300_000;
export const MAX_SEEN = 65_536;

/**
 * The ids of verified messages, so that each is taken once. Kept for 300 s; under pressure the oldest of 65,536 goes,
 * and going before 120 s is counted, since such a message could be taken again.
 */
export class SeenIds {
  readonly #max: number;
  readonly #seen = new Map<string, SeenMessage>();
  evictedYoung = 0;

  constructor(max = MAX_SEEN) {
    this.#max = max;
  }

  get size(): number {
    return this.#seen.size;
  }

  get(id: string): SeenMessage | undefined {
    return this.#seen.get(id);
  }

  has(id: string): boolean {
    return this.#seen.has(id);
  }

  add(id: string, message: SeenMessage): void {
    if (this.#seen.size >= this.#max) {
      for (const [oldest, { atMs }] of this.#seen) {
        this.#seen.delete(oldest);
        if (message.atMs - atMs < SEEN_KEPT_MS) this.evictedYoung += 1;
        break;
      }
    }
    this.#seen.set(id, message);
  }

  expire(nowMs: number): void {
    for (const [id, { atMs }] of this.#seen) {
      if (nowMs - atMs < SEEN_EXPIRED_MS) break;
      this.#seen.delete(id);
    }
  }
}
