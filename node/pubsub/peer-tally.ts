import type { PeerId } from '../transport/transport.ts';
import { DecayingCount } from './decaying-count.ts';

const MAX_ROWS = 16_384;

/**
 * What this node has seen of one peer on one topic. The plain counts only grow, since the node started; the decaying
 * ones are what decisions are made of.
 */
export class PeerTally {
  /** Frames that QUIC took. */
  sendSuccesses = 0;
  /** Echoes that stayed unanswered in time after something was sent, and waves of sends that were given up. */
  sendTimeouts = 0;
  coolingEvents = 0;
  recoveryProbes = 0;
  recoverySuccesses = 0;
  lastDeliveryMs: number | null = null;
  /** Sends that were confirmed in time, and those that were not, in one unit: an echo. */
  readonly confirmed = new DecayingCount();
  readonly unconfirmed = new DecayingCount();
  readonly cooled = new DecayingCount();
  readonly probed = new DecayingCount();
  readonly recovered = new DecayingCount();

  timedOut(nowMs: number): void {
    this.sendTimeouts += 1;
    this.unconfirmed.add(1, nowMs);
  }

  cool(nowMs: number): void {
    this.coolingEvents += 1;
    this.cooled.add(1, nowMs);
  }

  probe(nowMs: number): void {
    this.recoveryProbes += 1;
    this.probed.add(1, nowMs);
  }

  recover(nowMs: number): void {
    this.recoverySuccesses += 1;
    this.recovered.add(1, nowMs);
  }

  deliver(nowMs: number): void {
    this.lastDeliveryMs = nowMs;
  }
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
      tally = new PeerTally();
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
