import { BoundedMap } from '../../kit/bounded.ts';
import type { PeerId } from '../transport/transport.ts';

const MAX_STRIKES = 3;
const FORGIVEN_AFTER_MS = 600_000;

/** Counts what no honest peer sends: malformed frames and forged signatures. */
export class Strikes {
  readonly #byPeer = new BoundedMap<PeerId, { count: number; lastMs: number }>({ max: 1_024 });
  total = 0;

  /** Adds a strike; true when the link is to be closed. */
  strike(peer: PeerId, nowMs: number): boolean {
    this.total += 1;
    const known = this.#byPeer.get(peer);
    const count = known && nowMs - known.lastMs < FORGIVEN_AFTER_MS ? known.count + 1 : 1;
    this.#byPeer.set(peer, { count: count >= MAX_STRIKES ? 0 : count, lastMs: nowMs });
    return count >= MAX_STRIKES;
  }
}
