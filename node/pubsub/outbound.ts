import type { Clock } from '../../kit/clock.ts';
import { MeshproofError } from '../../kit/errors.ts';
import { FRAME_BOUND_BYTES } from '../transport/frames.ts';
import type { PeerId, TrafficClass, Transport } from '../transport/transport.ts';
import { type FairItem, FairQueue } from './fair-queue.ts';
import type { HeldMessage } from './message-cache.ts';
import { type LaneName, PeerLanes } from './peer-lanes.ts';
import type { PeerTallies } from './peer-tally.ts';
import { SendWaves, type Wave } from './send-waves.ts';
import { StageTiming } from './stage-timing.ts';
import { type Priority, priorityOf } from './topic-priority.ts';

const WATCH_EVERY_MS = 250;
const LINK_OVER = new Set(['NO_LINK', 'LINK_CLOSED', 'LINK_REPLACED', 'TRANSPORT_STOPPED']);

/**
 * Of each peer's messages this much is with the transport; the rest waits here, where topics take turns. Enough for
 * 256 MB/s at a turn of the event loop per millisecond, and at 1 MB/s no more than a quarter of a second.
 */
const HANDED_BYTES = 262_144;

/** A message on its way to one peer; its flow is its topic. */
interface Send extends FairItem {
  readonly message: HeldMessage;
  readonly frame: Uint8Array;
  readonly priority: Priority;
  readonly wave: Wave;
  readonly startedMs: number;
}

interface Peer {
  readonly id: PeerId;
  readonly lanes: PeerLanes;
  readonly waves: SendWaves;
  /** Of the lanes `normal` and `bulk`; what is critical never waits here. */
  readonly waiting: FairQueue<Send>;
  handedBytes: number;
}

interface OutboundModules {
  readonly transport: Pick<Transport, 'send' | 'linkTo'>;
  readonly clock: Clock;
  readonly tallies: PeerTallies;
  /** Whether the last echoes to the peer stayed unanswered. */
  readonly isSuspect: (peer: PeerId) => boolean;
  /** QUIC has taken nothing for the peer until the timeout of what was sent on `topics`. */
  readonly stalled: (peer: PeerId, topics: ReadonlySet<string>) => void;
  /** A message was accepted and then given up: its peer may be told of it another way. */
  readonly gaveUp: (peer: PeerId, message: HeldMessage) => void;
}

/**
 * Hands frames to the transport, to all peers at once, each within its own lanes and timeout: a slow peer only costs
 * itself. Messages of critical topics travel on the control stream, where no backlog of others can stand before
 * them. Nobody waits for the outcome; it is counted.
 */
export class Outbound {
  readonly #modules: OutboundModules;
  readonly #peers = new Map<PeerId, Peer>();
  readonly sendTime = new StageTiming();
  readonly counts = { timeouts: 0, budgetExhausted: 0, failed: 0, controlFailed: 0 };
  /** What became of messages at the door; fields as `pubsub_stages.admission`. */
  readonly admission = {
    admitted: { critical: 0, normal: 0, bulk: 0 },
    disconnected: { critical: 0, normal: 0, bulk: 0 },
    bulkSuspect: 0,
    bulkFull: 0,
    criticalFull: 0,
    criticalHardError: 0,
  };
  #timer: NodeJS.Timeout | undefined;

  constructor(modules: OutboundModules) {
    this.#modules = modules;
  }

  depths(peer: PeerId): Readonly<Record<LaneName, number>> | undefined {
    return this.#peers.get(peer)?.lanes.depths;
  }

  peerDown(peerId: PeerId): void {
    const peer = this.#peers.get(peerId);
    this.#peers.delete(peerId);
    if (!peer) return;
    for (const send of peer.waiting) {
      peer.waiting.delete(send);
      this.counts.failed += 1;
      this.#modules.gaveUp(peerId, send.message);
    }
  }

  /** Sends `frame`, the wire form of `message`; false when the peer's state or lanes do not allow it. */
  sendEager(peerId: PeerId, message: HeldMessage, frame: Uint8Array): boolean {
    const priority = priorityOf(message.topic);
    const peer = this.#peer(peerId);
    const newcomer = { flow: message.topic, bytes: frame.length };
    if (!this.#isAdmitted(peer, priority, newcomer)) return false;
    this.admission.admitted[priority] += 1;
    peer.lanes.take(priority, frame.length);
    const startedMs = this.#modules.clock.nowMs();
    const wave = this.#join(peer.waves, startedMs);
    wave.topics.add(message.topic);
    wave.pending += 1;
    const send = { ...newcomer, message, frame, priority, wave, startedMs };
    if (priority === 'critical') {
      void this.#hand(peer, send, frame.length <= FRAME_BOUND_BYTES.control ? 'control' : 'gossip');
      return true;
    }
    peer.waiting.push(send);
    this.#feed(peer);
    return true;
  }

  sendControl(peer: PeerId, frame: Uint8Array): boolean {
    const { lanes, waves } = this.#peer(peer);
    const { clock, transport } = this.#modules;
    if (!lanes.hasRoom('control', frame.length)) {
      this.counts.budgetExhausted += 1;
      return false;
    }
    lanes.take('control', frame.length);
    const wave = this.#join(waves, clock.nowMs());
    wave.pending += 1;
    transport.send(peer, 'control', frame, wave.controller.signal).then(
      () => {
        wave.pending -= 1;
        lanes.release('control', frame.length);
      },
      () => {
        wave.pending -= 1;
        lanes.release('control', frame.length);
        if (!this.#isGivenUp(wave)) this.counts.controlFailed += 1;
      },
    );
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { waves, waiting } of this.#peers.values()) {
      for (const send of waiting) waiting.delete(send);
      waves.close();
    }
    this.#peers.clear();
  }

  #isAdmitted(peer: Peer, priority: Priority, newcomer: FairItem): boolean {
    const { admission } = this;
    if (!this.#modules.transport.linkTo(peer.id)) {
      admission.disconnected[priority] += 1; // the link ended and its event is on the way
      return false;
    }
    if (priority === 'bulk' && this.#modules.isSuspect(peer.id)) {
      admission.bulkSuspect += 1;
      return false;
    }
    if (this.#makeRoom(peer, priority, newcomer)) return true;
    this.#exhausted(priority);
    return false;
  }

  /** Room for `newcomer`, if need be at the cost of the topic that has most waiting; false when that is its own. */
  #makeRoom(peer: Peer, priority: Priority, newcomer: FairItem): boolean {
    const { lanes, waiting } = peer;
    while (!lanes.hasRoom(priority, newcomer.bytes)) {
      const rival = waiting.rivalOf(newcomer);
      if (!rival || (lanes.isFull(priority) && rival.priority !== priority)) return false;
      waiting.delete(rival);
      this.#exhausted(rival.priority);
      this.#release(peer, rival);
      this.#modules.gaveUp(peer.id, rival.message);
    }
    return true;
  }

  #exhausted(priority: Priority): void {
    const { admission, counts } = this;
    counts.budgetExhausted += 1;
    if (priority === 'bulk') admission.bulkFull += 1;
    if (priority === 'critical') admission.criticalFull += 1;
  }

  #release({ lanes }: Peer, { priority, bytes, wave }: Send): void {
    wave.pending -= 1;
    lanes.release(priority, bytes);
  }

  /** Hands on what waits, as far as the transport may hold it. */
  #feed(peer: Peer): void {
    while (peer.handedBytes < HANDED_BYTES) {
      const send = peer.waiting.shift();
      if (!send) return;
      peer.handedBytes += send.bytes;
      void this.#hand(peer, send, 'gossip').then(() => {
        peer.handedBytes -= send.bytes;
        this.#feed(peer);
      });
    }
  }

  /** Resolves, and never rejects, when the transport has taken the frame or given it up. */
  #hand(peer: Peer, send: Send, trafficClass: TrafficClass): Promise<void> {
    const { message, wave, startedMs } = send;
    const { transport, clock, tallies } = this.#modules;
    return transport.send(peer.id, trafficClass, send.frame, wave.controller.signal).then(
      () => {
        this.#release(peer, send);
        const nowMs = clock.nowMs();
        this.sendTime.record(nowMs - startedMs);
        peer.waves.taken(nowMs - startedMs, nowMs);
        tallies.of(peer.id, message.topic).sendSuccesses += 1;
      },
      (error: unknown) => {
        this.#release(peer, send);
        if (!this.#isGivenUp(wave)) this.#failed(peer.id, send.priority, error);
        this.#modules.gaveUp(peer.id, message);
      },
    );
  }

  /** The transport refused the frame or lost the link under it. */
  #failed(peer: PeerId, priority: Priority, error: unknown): void {
    this.counts.failed += 1;
    if (priority !== 'critical') return;
    if (!this.#modules.transport.linkTo(peer)) this.admission.disconnected.critical += 1;
    else if (!isLinkOver(error)) this.admission.criticalHardError += 1;
  }

  /** A send was rejected: true when it was we who gave it up. */
  #isGivenUp(wave: Wave): boolean {
    if (!wave.controller.signal.aborted) return false;
    this.counts.timeouts += 1;
    return true;
  }

  #join(waves: SendWaves, nowMs: number): Wave {
    this.#timer ??= setTimeout(() => this.#watch(), WATCH_EVERY_MS);
    return waves.join(nowMs);
  }

  #watch(): void {
    this.#timer = undefined;
    const { clock, tallies, stalled } = this.#modules;
    let isWaiting = false;
    for (const peer of this.#peers.values()) {
      const { id, waves } = peer;
      const expired = waves.expire(clock.nowMs());
      if (expired.length > 0) this.#giveUpWaiting(peer);
      for (const wave of expired) {
        const { topics } = wave;
        if (topics.size > 0 && waves.isNewStall(wave, clock.nowMs())) stalled(id, topics);
        else for (const topic of topics) tallies.of(id, topic).sendTimeouts += 1;
      }
      isWaiting ||= waves.isWaiting;
    }
    if (isWaiting) this.#timer = setTimeout(() => this.#watch(), WATCH_EVERY_MS);
  }

  /** What waits past its time, and what is with the transport, is given up together. */
  #giveUpWaiting(peer: Peer): void {
    for (const send of peer.waiting) {
      if (!this.#isGivenUp(send.wave)) continue;
      peer.waiting.delete(send);
      this.#release(peer, send);
      this.#modules.gaveUp(peer.id, send.message);
    }
  }

  #peer(id: PeerId): Peer {
    let peer = this.#peers.get(id);
    if (!peer) {
      peer = {
        id,
        lanes: new PeerLanes(),
        waves: new SendWaves(),
        waiting: new FairQueue(),
        handedBytes: 0,
      };
      this.#peers.set(id, peer);
    }
    return peer;
  }
}

/** The connection that the frame was on ended under it; another may be there already. */
function isLinkOver(error: unknown): boolean {
  return error instanceof MeshproofError && LINK_OVER.has(error.code);
}
