import { BoundedMap } from '../../kit/bounded.ts';
import type { GossipDocument } from '../api/schema/gossip.ts';

const MAX_PEERS = 4_096;
const SLOW_MS = { over_1s_count: 1_000, over_5s_count: 5_000, over_30s_count: 30_000 } as const;

/**
 * Membership's control frames: how many came, from whom, and how long they took. They are handled on the reader as
 * they come, one at a time and never timed out, so that no queue stands between and nothing is dropped for want of room.
 */
export class ControlHandling {
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  readonly #byPeer = new BoundedMap<string, number>({ max: MAX_PEERS });
  readonly #slow = { over_1s_count: 0, over_5s_count: 0, over_30s_count: 0 };
  #completed = 0;
  #totalMs = 0;
  #maxMs = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  /** Runs `handle` on a frame of `peerId`; what it does is counted when it says that the frame was its own. */
  take(peerId: string, handle: () => boolean): boolean {
    const startMs = this.#nowMs();
    if (!handle()) return false;
    const tookMs = this.#nowMs() - startMs;
    this.#byPeer.set(peerId, (this.#byPeer.get(peerId) ?? 0) + 1);
    this.#completed += 1;
    this.#totalMs += tookMs;
    this.#maxMs = Math.max(this.#maxMs, tookMs);
    if (tookMs > SLOW_MS.over_1s_count) this.#slow.over_1s_count += 1;
    if (tookMs > SLOW_MS.over_5s_count) this.#slow.over_5s_count += 1;
    if (tookMs > SLOW_MS.over_30s_count) this.#slow.over_30s_count += 1;
    return true;
  }

  /** `document` with its membership figures in place. */
  complete(document: GossipDocument): GossipDocument {
    const { dispatcher, recv_pump } = document;
    const frames = this.#completed;
    const uptimeSecs = (this.#nowMs() - this.#startedMs) / 1_000;
    const perSecond = uptimeSecs > 0 ? frames / uptimeSecs : 0;
    return {
      ...document,
      dispatcher: {
        ...dispatcher,
        membership: {
          received: frames,
          completed: frames,
          timed_out: 0,
          max_elapsed_ms: this.#maxMs,
          total_elapsed_ns: Math.round(this.#totalMs * 1e6),
          ...this.#slow,
        },
        membership_workers: 1,
      },
      recv_pump: {
        ...recv_pump,
        membership: {
          ...recv_pump.membership,
          produced_total: frames,
          enqueued_total: frames,
          dequeued_total: frames,
          producer_per_sec: perSecond,
          consumer_per_sec: perSecond,
        },
        per_peer: this.#perPeer(recv_pump.per_peer),
      },
    };
  }

  #perPeer(rows: GossipDocument['recv_pump']['per_peer']): GossipDocument['recv_pump']['per_peer'] {
    const merged = { ...rows };
    for (const [peerId, count] of this.#byPeer.entries()) {
      merged[peerId] = { ...NO_FRAMES, ...merged[peerId], membership_produced: count };
    }
    return merged;
  }
}

/** A peer of which gossip has seen nothing yet. */
const NO_FRAMES = {
  pubsub_produced: 0,
  membership_produced: 0,
  bulk_produced: 0,
  pubsub_dropped_full: 0,
  membership_dropped_full: 0,
  bulk_dropped_full: 0,
  pubsub_pauses: 0,
} as const;
