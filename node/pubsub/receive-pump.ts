import { BoundedMap } from '../../kit/bounded.ts';
import type { Clock } from '../../kit/clock.ts';
import type { PeerId, PeerLink } from '../transport/transport.ts';
import { type FairItem, FairQueue } from './fair-queue.ts';
import { StageTiming } from './stage-timing.ts';
import { START_WORKERS } from './supervisor.ts';

/** `shed` frames can be said again later, so they go first under pressure; `kept` ones are turned away only at 100 %. */
export type Urgency = 'kept' | 'shed';

/** One invocation of the handler. */
export interface Job {
  readonly link: PeerLink;
  readonly frame: Uint8Array;
  /** Aborts when the watchdog ends the job or the pump stops. Made on first use. */
  readonly signal: AbortSignal;
}

/** A frame that waits; its flow is the peer that sent it. */
interface Waiting extends FairItem {
  readonly link: PeerLink;
  readonly frame: Uint8Array;
  readonly atMs: number;
}

interface PumpOptions {
  readonly capacity: number;
  readonly watchdogMs: number;
}

interface PeerCounts {
  produced: number;
  droppedFull: number;
  /** Times that its messages were not read on. */
  pauses: number;
}

interface PumpModules {
  readonly clock: Clock;
  /** Handles one frame; a promise only when it must wait. A throw or rejection is `failed`'s. */
  readonly handle: (job: Job) => void | Promise<void>;
  readonly failed: (link: PeerLink, error: unknown) => void;
}

const SHED_FROM = 0.9;
/**
 * With so many waiting frames of one peer its messages are read no further until half of them are handled. Enough for
 * one read of the transport, and little enough for those who wait behind relays of a flood.
 */
const PAUSE_AT = 64;
/** Control frames and critical messages are read even so, up to here: the queue is for all peers. */
const MAX_OF_ONE_PEER = 2_048;
const MAX_PEERS_COUNTED = 1_024;
const TURN_MS = 10; // then timers and sockets get their turn; well below the 50 ms event-loop bound

/**
 * The bounded queue between the transport's readers and gossip's handlers, in which peers take turns: who sends more
 * than is handled waits behind its own frames, and is not read from meanwhile, so that QUIC pushes back at it. Offering
 * never waits: a full queue drops the newcomer and counts it. Handlers run at once while fewer than `workers` are
 * waiting for something, and a watchdog aborts those that wait too long.
 */
export class ReceivePump {
  readonly #options: PumpOptions;
  readonly #modules: PumpModules;
  readonly #queue = new FairQueue<Waiting>();
  readonly #paused = new Map<PeerId, PromiseWithResolvers<void>>();
  readonly #running = new Set<RunningJob>();
  readonly perPeer = new BoundedMap<PeerId, PeerCounts>({ max: MAX_PEERS_COUNTED });
  readonly handling = new StageTiming();
  workers = START_WORKERS;
  readonly counts = {
    produced: 0,
    enqueued: 0,
    dequeued: 0,
    droppedFull: 0,
    shedPriority: 0,
    droppedClosed: 0,
    completed: 0,
    timedOut: 0,
    totalDwellMs: 0,
    maxDwellMs: 0,
    pauses: 0,
  };
  #depth = 0;
  #maxDepth = 0;
  #isDraining = false;
  #isClosed = false;
  #watchdog: NodeJS.Timeout | undefined;
  #resume: NodeJS.Immediate | undefined;

  constructor(options: PumpOptions, modules: PumpModules) {
    this.#options = options;
    this.#modules = modules;
  }

  get depth(): number {
    return this.#depth;
  }

  get maxDepth(): number {
    return this.#maxDepth;
  }

  get capacity(): number {
    return this.#options.capacity;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  offer(link: PeerLink, frame: Uint8Array, urgency: Urgency): void {
    const { counts } = this;
    counts.produced += 1;
    const peer = this.#peer(link.peerId);
    peer.produced += 1;
    if (this.#isClosed) {
      counts.droppedClosed += 1;
    } else if (urgency === 'shed' && this.#depth >= this.#options.capacity * SHED_FROM) {
      counts.shedPriority += 1;
    } else if (!this.#hasRoomFor(link.peerId)) {
      counts.droppedFull += 1;
      peer.droppedFull += 1;
    } else {
      counts.enqueued += 1;
      this.#depth += 1;
      this.#maxDepth = Math.max(this.#maxDepth, this.#depth);
      const atMs = this.#modules.clock.nowMs();
      this.#queue.push({ flow: link.peerId, bytes: frame.length, link, frame, atMs });
      if (!this.#resume) this.#drain();
    }
  }

  /** Resolves when half of what waits of `peerId` is handled; `undefined` when it may send on at once. */
  pauseFor(peerId: PeerId): Promise<void> | undefined {
    if (this.#queue.lengthOf(peerId) < PAUSE_AT) return undefined;
    let pause = this.#paused.get(peerId);
    if (!pause) {
      pause = Promise.withResolvers();
      this.#paused.set(peerId, pause);
      this.counts.pauses += 1;
      this.#peer(peerId).pauses += 1;
    }
    return pause.promise;
  }

  /** Drops what is queued and aborts what runs. */
  close(): void {
    this.#isClosed = true;
    if (this.#resume) clearImmediate(this.#resume);
    clearTimeout(this.#watchdog);
    this.counts.droppedClosed += this.depth;
    this.counts.enqueued -= this.depth;
    for (const waiting of this.#queue) this.#queue.delete(waiting);
    this.#depth = 0;
    for (const { resolve } of this.#paused.values()) resolve();
    this.#paused.clear();
    for (const job of this.#running) job.abort(new Error('the receive pump closed'));
    this.#running.clear();
  }

  #drain(): void {
    if (this.#isDraining) return; // an offer from within a handler
    this.#isDraining = true;
    const { clock } = this.#modules;
    const startedMs = clock.nowMs();
    while (this.#running.size < this.workers) {
      const next = this.#queue.shift();
      if (!next) break;
      this.#depth -= 1;
      if (this.#queue.lengthOf(next.flow) <= PAUSE_AT / 2) this.#readOn(next.flow);
      const nowMs = clock.nowMs();
      this.counts.dequeued += 1;
      const dwellMs = nowMs - next.atMs;
      this.counts.totalDwellMs += dwellMs;
      if (dwellMs > this.counts.maxDwellMs) this.counts.maxDwellMs = dwellMs;
      this.#run(new RunningJob(next.link, next.frame, nowMs));
      if (nowMs - startedMs > TURN_MS && this.depth > 0) {
        this.#resume = setImmediate(() => {
          this.#resume = undefined;
          this.#drain();
        });
        break;
      }
    }
    this.#isDraining = false;
  }

  #hasRoomFor(peerId: PeerId): boolean {
    return this.#depth < this.#options.capacity && this.#queue.lengthOf(peerId) < MAX_OF_ONE_PEER;
  }

  #readOn(peerId: PeerId): void {
    this.#paused.get(peerId)?.resolve();
    this.#paused.delete(peerId);
  }

  #run(job: RunningJob): void {
    try {
      const pending = this.#modules.handle(job);
      if (!pending) {
        this.#completed(job);
        return;
      }
      this.#running.add(job);
      this.#armWatchdog();
      pending.then(
        () => this.#finished(job),
        (error: unknown) => {
          this.#modules.failed(job.link, error);
          this.#finished(job);
        },
      );
    } catch (error) {
      this.#modules.failed(job.link, error);
      this.#completed(job);
    }
  }

  #finished(job: RunningJob): void {
    if (!this.#running.delete(job)) return; // the watchdog has counted it
    this.#completed(job);
    if (!this.#resume) this.#drain();
  }

  #completed(job: RunningJob): void {
    this.counts.completed += 1;
    this.handling.record(this.#modules.clock.nowMs() - job.startedMs);
  }

  #armWatchdog(): void {
    if (this.#watchdog || this.#isClosed) return;
    const oldest = this.#running.values().next().value;
    if (!oldest) return;
    const dueMs = oldest.startedMs + this.#options.watchdogMs - this.#modules.clock.nowMs();
    this.#watchdog = setTimeout(() => this.#watch(), Math.max(1, dueMs));
    this.#watchdog.unref();
  }

  #watch(): void {
    this.#watchdog = undefined;
    const nowMs = this.#modules.clock.nowMs();
    for (const job of this.#running) {
      if (nowMs - job.startedMs < this.#options.watchdogMs) break;
      this.#running.delete(job);
      this.counts.timedOut += 1;
      this.handling.record(nowMs - job.startedMs);
      job.abort(new Error('the handler watchdog expired'));
    }
    this.#armWatchdog();
    this.#drain();
  }

  #peer(peerId: PeerId): PeerCounts {
    let peer = this.perPeer.get(peerId);
    if (!peer) {
      peer = { produced: 0, droppedFull: 0, pauses: 0 };
      this.perPeer.set(peerId, peer);
    }
    return peer;
  }
}

class RunningJob implements Job {
  readonly link: PeerLink;
  readonly frame: Uint8Array;
  readonly startedMs: number;
  #controller: AbortController | undefined;

  constructor(link: PeerLink, frame: Uint8Array, startedMs: number) {
    this.link = link;
    this.frame = frame;
    this.startedMs = startedMs;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller?.abort(reason);
  }
}
