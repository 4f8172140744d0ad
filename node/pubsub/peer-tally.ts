import type { PeerId } from '../transport/transport.ts';

const MAX_ROWS = 16_384;
const RECENCY_HORIZON_MS = 300_000;

/** What this node has seen of one peer on one topic since it started; counts only grow. */
export interface PeerTally {
  sendSuccesses: number;
  sendTimeouts: number;
  /** First copies that this peer brought. */
  firstDeliveries: number;
  lastDeliveryMs: number | null;
}

/** Tallies per (peer, topic), kept across reconnects; past the bound the oldest pairs are forgotten and counted. */
export class PeerTallies {
  readonly #byPeer = new Map<PeerId, Map<string, PeerTally>>();
  #rows = 0;
  forgotten = 0;

  of(peer: PeerId, topic: string): PeerTally {
    let topics = this.#byPeer.get(peer);
    if (!topics) {
      topics = new Map();
      this.#byPeer.set(peer, topics);
    }
    let tally = topics.get(topic);
    if (!tally) {
      if (this.#rows >= MAX_ROWS) this.#forgetOldestPeer(peer);
      tally = { sendSuccesses: 0, sendTimeouts: 0, firstDeliveries: 0, lastDeliveryMs: null };
      topics.set(topic, tally);
      this.#rows += 1;
    }
    return tally;
  }

  #forgetOldestPeer(except: PeerId): void {
    for (const [peer, topics] of this.#byPeer) {
      if (peer === except && this.#byPeer.size > 1) continue;
      this.#rows -= topics.size;
      this.forgotten += topics.size;
      topics.clear();
      if (peer !== except) this.#byPeer.delete(peer);
      return;
    }
  }
}

/**
 * The figures of a `peer_scores` row, each 0..1: score = (0.6 × IWANT response + 0.4 × recency) × (0.35 + 0.65 × send
 * health), as saorsa-gossip. Over the whole life of the node; nothing decays and nothing is decided by it yet.
 */
export function scoreOf(
  tally: PeerTally,
  asks: { readonly asked: number; readonly answered: number },
  nowMs: number,
) {
  const unasked = tally.firstDeliveries > 0 ? 0.8 : 0.5;
  const iwantResponseRate = asks.asked === 0 ? unasked : Math.min(1, asks.answered / asks.asked);
  const ageMs = tally.lastDeliveryMs === null ? RECENCY_HORIZON_MS : nowMs - tally.lastDeliveryMs;
  const recency = Math.max(0, 1 - ageMs / RECENCY_HORIZON_MS);
  const sendHealth = (tally.sendSuccesses + 1) / (tally.sendSuccesses + tally.sendTimeouts + 1);
  const score = (0.6 * iwantResponseRate + 0.4 * recency) * (0.35 + 0.65 * sendHealth);
  return { score, iwantResponseRate, recency, sendHealth };
}
