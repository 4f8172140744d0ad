import { sha256Hex } from '../../kit/hash.ts';
import type { Random } from '../../kit/random.ts';
import type { ControlFrame } from '../pubsub/control-frame.ts';
import type { GossipEffect } from '../pubsub/gossip-effect.ts';
import type { HeldMessage } from '../pubsub/message-cache.ts';
import { PlumTree } from '../pubsub/plumtree.ts';
import { DEFAULT_PLUMTREE_LIMITS, type PlumTreeLimits } from '../pubsub/plumtree-limits.ts';
import { EventQueue } from './event-queue.ts';
import type { Graph } from './graphs.ts';

/** What crosses a virtual link: a payload, or a control frame. */
export type VirtualFrame =
  | { readonly kind: 'eager'; readonly message: HeldMessage; readonly isReply: boolean }
  | { readonly kind: 'control'; readonly frame: ControlFrame };

interface VirtualMeshOptions {
  readonly random: Random;
  /** One-way latency of each link, drawn once per link from this range. */
  readonly latencyMs: readonly [number, number];
  readonly limits?: PlumTreeLimits;
  /** Peers that know one tree per topic, as versions before trees per origin. */
  readonly isOld?: (peer: number) => boolean;
}

interface Link {
  readonly latencyMs: number;
  /** Counts reconnections, so that frames of a link that went down are lost. */
  readonly epoch: number;
}

interface Peer {
  readonly name: string;
  readonly core: PlumTree;
  readonly links: Map<number, Link>;
  timerAtMs: number;
}

/** One message on its way through the mesh. */
interface Journey {
  readonly publishedAtMs: number;
  /** Arrival by peer index, the origin included. */
  readonly arrivals: Map<number, number>;
  /** Payload copies received anywhere. */
  copies: number;
}

/**
 * Many gossip cores in one process, joined by virtual links under one virtual clock. The same seed gives the same
 * run. Signatures are not simulated: every frame is what its origin made.
 */
export class VirtualMesh {
  readonly clock = new EventQueue();
  readonly peers: readonly Peer[];
  readonly journeys = new Map<string, Journey>();
  readonly framesSent: number[];
  /** Says which frames are lost on the way; every draw must come from a seeded source. */
  isLost: (frame: VirtualFrame, from: number, to: number) => boolean = () => false;
  /** How much longer than its link's latency a frame takes; draws as above. Frames may overtake each other. */
  extraDelayMs: (from: number, to: number) => number = () => 0;
  #epoch = 0;
  #published = 0;
  readonly #options: VirtualMeshOptions;

  constructor(size: number, graph: Graph, options: VirtualMeshOptions) {
    this.#options = options;
    const limits = options.limits ?? DEFAULT_PLUMTREE_LIMITS;
    this.peers = Array.from({ length: size }, (_, at) => ({
      name: nameOf(at),
      core: new PlumTree({ ...limits, maxTrees: options.isOld?.(at) ? 0 : limits.maxTrees }),
      links: new Map(),
      timerAtMs: Number.POSITIVE_INFINITY,
    }));
    this.framesSent = this.peers.map(() => 0);
    for (const [a, b] of graph) this.connect(a, b);
  }

  connect(a: number, b: number): void {
    const [low, high] = this.#options.latencyMs;
    this.#epoch += 1;
    const link = { latencyMs: low + this.#options.random.float() * (high - low), epoch: this.#epoch };
    this.#peer(a).links.set(b, link);
    this.#peer(b).links.set(a, link);
    const isOld = [a, b].some((peer) => this.#options.isOld?.(peer));
    const ends = [
      [a, b],
      [b, a],
    ] as const;
    for (const [near, far] of ends) {
      const { core } = this.#peer(near);
      this.#act(near, core.peerUp(nameOf(far), isOld ? 'shared' : 'perOrigin', this.clock.nowMs));
      core.setRtt(nameOf(far), 2 * link.latencyMs);
    }
  }

  disconnect(a: number, b: number): void {
    this.#peer(a).links.delete(b);
    this.#peer(b).links.delete(a);
    this.#act(a, this.#peer(a).core.peerDown(nameOf(b), this.clock.nowMs));
    this.#act(b, this.#peer(b).core.peerDown(nameOf(a), this.clock.nowMs));
  }

  publish(from: number, topic: string, payloadBytes = 64): Journey {
    const id = sha256Hex(`message ${this.#published}`);
    this.#published += 1;
    const journey = {
      publishedAtMs: this.clock.nowMs,
      arrivals: new Map([[from, this.clock.nowMs]]),
      copies: 0,
    };
    this.journeys.set(id, journey);
    const frame = new Uint8Array(payloadBytes);
    const message = { id, topic, origin: nameOf(from), hops: 0, bornAtMs: this.clock.nowMs, frame };
    this.#act(from, this.#peer(from).core.published(message, this.clock.nowMs));
    return journey;
  }

  run(forMs: number): void {
    this.clock.runUntil(this.clock.nowMs + forMs);
  }

  #peer(index: number): Peer {
    const peer = this.peers[index];
    if (!peer) throw new RangeError(`no peer ${index}`);
    return peer;
  }

  #act(index: number, effects: readonly GossipEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'push') {
        for (const to of effect.peers)
          this.#send(index, to, { kind: 'eager', message: effect.message, isReply: false });
      } else if (effect.type === 'reply') {
        this.#send(index, effect.peer, { kind: 'eager', message: effect.message, isReply: true });
      } else {
        this.#send(index, effect.peer, { kind: 'control', frame: effect.frame });
      }
    }
    this.#arm(index);
  }

  #send(from: number, toName: string, frame: VirtualFrame): void {
    const to = Number.parseInt(toName, 16);
    const link = this.#peer(from).links.get(to);
    if (!link) return;
    this.framesSent[from] = (this.framesSent[from] ?? 0) + 1;
    if (this.isLost(frame, from, to)) return;
    const arrivesAtMs = this.clock.nowMs + link.latencyMs + this.extraDelayMs(from, to);
    this.clock.at(arrivesAtMs, () => {
      if (this.#peer(to).links.get(from)?.epoch === link.epoch) this.#arrive(to, from, frame);
    });
  }

  #arrive(index: number, from: number, frame: VirtualFrame): void {
    const { core } = this.#peer(index);
    const nowMs = this.clock.nowMs;
    if (frame.kind === 'control') {
      this.#act(index, core.control(nameOf(from), frame.frame, nowMs));
      return;
    }
    const { message } = frame;
    const journey = this.journeys.get(message.id);
    if (journey) journey.copies += 1;
    if (core.has(message.id)) {
      this.#act(index, core.duplicate(nameOf(from), message.id, nowMs));
      return;
    }
    journey?.arrivals.set(index, nowMs);
    this.#act(index, core.received(nameOf(from), { ...message, hops: message.hops + 1 }, nowMs));
  }

  #arm(index: number): void {
    const peer = this.#peer(index);
    const dueMs = peer.core.nextDeadlineMs();
    if (dueMs === undefined || dueMs >= peer.timerAtMs) return;
    peer.timerAtMs = dueMs;
    this.clock.at(dueMs, () => {
      if (peer.timerAtMs !== dueMs) return; // an earlier timer has taken over
      peer.timerAtMs = Number.POSITIVE_INFINITY;
      this.#act(index, peer.core.tick(this.clock.nowMs));
    });
  }
}

function nameOf(index: number): string {
  return index.toString(16).padStart(64, '0');
}
