import type { PeerId } from '../transport/transport.ts';
import type { ControlFrame } from './control-frame.ts';

/** Announced ids, or work worth as much, that one peer may cause per second. */
const MAX_COST_PER_SEC = 16_384;
const ANTI_ENTROPY_COST = 256; // a summary or bucket frame makes us look through a cache

/** Bounds what one peer can make this node do with control frames; what goes beyond is dropped and counted. */
export class ControlAllowance {
  readonly #spent = new Map<PeerId, { sinceMs: number; cost: number }>();
  refused = 0;

  allows(peer: PeerId, frame: ControlFrame, nowMs: number): boolean {
    let spent = this.#spent.get(peer);
    if (!spent) {
      spent = { sinceMs: nowMs, cost: 0 };
      this.#spent.set(peer, spent);
    }
    if (nowMs - spent.sinceMs >= 1_000) {
      spent.sinceMs = nowMs;
      spent.cost = 0;
    }
    spent.cost += costOf(frame);
    if (spent.cost <= MAX_COST_PER_SEC) return true;
    this.refused += 1;
    return false;
  }

  forget(peer: PeerId): void {
    this.#spent.delete(peer);
  }
}

function costOf(frame: ControlFrame): number {
  switch (frame.kind) {
    case 'ihave':
      return frame.topics.reduce((sum, { entries }) => sum + entries.length, 1);
    case 'iwant':
      return frame.ids.length;
    case 'digest':
      return frame.entries.length + 1;
    case 'summary':
    case 'buckets':
      return ANTI_ENTROPY_COST;
    default:
      return 1;
  }
}
