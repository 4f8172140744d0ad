import type { Random } from '../../../kit/random.ts';
import { Jitter } from './jitter.ts';
import { type LinkFigures, UNTOUCHED } from './link-figures.ts';

/** A packet on its way; a probe is one of ours and carries nothing. */
export interface Packet {
  readonly bytes: number;
  readonly data: Uint8Array | null;
}

/** A fault in force on a link, as the link sees it. */
export interface Cut {
  /** Whether it drops this packet. */
  stops(packet: Packet): boolean;
  /** A packet of the nodes met the rule. */
  matched(): void;
}

export interface LinkCounters {
  offered: number;
  delivered: number;
  deliveredBytes: number;
  lost: number;
  /** Dropped since the queue before the rate was full. */
  queueFull: number;
  /** Dropped since too much was on its way already. */
  overflow: number;
  cut: number;
  reordered: number;
}

export type Fate = { readonly deliverAtMs: number } | 'lost' | 'queue_full' | 'overflow';

/** More than one connection of a node may have under way (24 MiB), so that only a flood meets it. */
const UNDER_WAY_MAX_BYTES = 32 * 1024 * 1024;
/** What a rate lets through at once after a pause: one turn of a loopback sender. */
const BURST_BYTES = 32 * 1024;

/**
 * One direction of the path between two nodes. Pure: a packet and the time come in, its fate goes out; packets of the
 * nodes and probes are treated alike. Loss, rate and delay act where a packet enters, cuts where it arrives, as they do
 * on a real host. Order is kept, also while the delay is changed, but for the packets that are reordered on purpose.
 */
export class Link {
  readonly #random: Random;
  readonly #jitter: Jitter;
  readonly counters: LinkCounters = {
    offered: 0,
    delivered: 0,
    deliveredBytes: 0,
    lost: 0,
    queueFull: 0,
    overflow: 0,
    cut: 0,
    reordered: 0,
  };
  /** What it does just now, faults included. */
  figures: LinkFigures = UNTOUCHED;
  /** Cuts in force on it. */
  cuts: readonly Cut[] = [];
  /** Told of every packet of the nodes that enters while a fault shapes the link. */
  shapedBy: readonly { matched(): void }[] = [];
  #underWayBytes = 0;
  /** When the rate will have let everything through that waits for it. */
  #rateFreeAtMs = Number.NEGATIVE_INFINITY;
  #lastDeliverAtMs = Number.NEGATIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
    this.#jitter = new Jitter(random);
  }

  /** A packet enters. One that is to be delivered must be handed to `arrive` when its time has come. */
  offer(packet: Packet, nowMs: number): Fate {
    const { counters, figures } = this;
    counters.offered += 1;
    if (packet.data !== null) for (const fault of this.shapedBy) fault.matched();
    if (figures.lossRatio > 0 && this.#random.float() < figures.lossRatio) {
      counters.lost += 1;
      return 'lost';
    }
    if (this.#underWayBytes + packet.bytes > UNDER_WAY_MAX_BYTES) {
      counters.overflow += 1;
      return 'overflow';
    }
    const departsAtMs = this.#departure(packet.bytes, nowMs);
    if (departsAtMs === undefined) {
      counters.queueFull += 1;
      return 'queue_full';
    }
    this.#underWayBytes += packet.bytes;
    return { deliverAtMs: this.#arrival(departsAtMs, nowMs) };
  }

  /** A packet has come to the far end: whether the node there gets it. */
  arrive(packet: Packet): 'delivered' | 'cut' {
    this.#underWayBytes -= packet.bytes;
    const cut = this.cuts.find((candidate) => candidate.stops(packet));
    if (cut !== undefined) {
      this.counters.cut += 1;
      if (packet.data !== null) cut.matched();
      return 'cut';
    }
    this.counters.delivered += 1;
    this.counters.deliveredBytes += packet.bytes;
    return 'delivered';
  }

  /** Token bucket: when the packet has passed the rate, or `undefined` when the queue before it is full. */
  #departure(bytes: number, nowMs: number): number | undefined {
    const { rateKbit, queueBytes } = this.figures;
    if (rateKbit === null) return nowMs;
    const bytesPerMs = rateKbit / 8;
    const freeAtMs = Math.max(this.#rateFreeAtMs, nowMs - BURST_BYTES / bytesPerMs);
    if ((freeAtMs - nowMs) * bytesPerMs + bytes > queueBytes) return undefined;
    this.#rateFreeAtMs = freeAtMs + bytes / bytesPerMs;
    return Math.max(nowMs, this.#rateFreeAtMs);
  }

  #arrival(departsAtMs: number, nowMs: number): number {
    const { latencyMs, jitterMs, reorderRatio, reorderByMs } = this.figures;
    const inTurnMs = departsAtMs + Math.max(0, latencyMs + this.#jitter.at(nowMs, jitterMs));
    if (reorderRatio > 0 && this.#random.float() < reorderRatio) {
      this.counters.reordered += 1;
      return Math.max(inTurnMs, this.#lastDeliverAtMs) + reorderByMs;
    }
    this.#lastDeliverAtMs = Math.max(inTurnMs, this.#lastDeliverAtMs);
    return this.#lastDeliverAtMs;
  }
}
