import type { Clock } from '../../kit/clock.ts';
import { MeshproofError } from '../../kit/errors.ts';
import { FRAME_BOUND_BYTES } from '../transport/frames.ts';
import type { PeerId, TrafficClass, Transport } from '../transport/transport.ts';
import type { HeldMessage } from './message-cache.ts';
import { type LaneName, PeerLanes } from './peer-lanes.ts';
import type { PeerTallies } from './peer-tally.ts';
import { SendWaves, type Wave } from './send-waves.ts';
import { StageTiming } from './stage-timing.ts';
import { type Priority, priorityOf } from './topic-priority.ts';

const WATCH_EVERY_MS = 250;
const LINK_OVER = new Set(['NO_LINK', 'LINK_CLOSED', 'LINK_REPLACED', 'TRANSPORT_STOPPED']);

interface Peer {
  readonly lanes: PeerLanes;
  readonly waves: SendWaves;
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

  peerDown(peer: PeerId): void {
    this.#peers.delete(peer);
  }

  /** Sends `frame`, the wire form of `message`; false when the peer's state or lanes do not allow it. */
  sendEager(peer: PeerId, message: HeldMessage, frame: Uint8Array): boolean {
    const priority = priorityOf(message.topic);
    const { lanes, waves } = this.#peer(peer);
    if (!this.#isAdmitted(peer, priority, { lanes, bytes: frame.length })) return false;
    this.admission.admitted[priority] += 1;
    lanes.take(priority, frame.length);
    const isUrgent = priority === 'critical' && frame.length <= FRAME_BOUND_BYTES.control;
    const { clock } = this.#modules;
    const startedMs = clock.nowMs();
    const wave = this.#join(waves, startedMs);
    wave.topics.add(message.topic);
    this.#send(peer, isUrgent ? 'control' : 'gossip', frame, wave).then(
      () => {
        wave.pending -= 1;
        lanes.release(priority, frame.length);
        const nowMs = clock.nowMs();
        this.sendTime.record(nowMs - startedMs);
        waves.taken(nowMs - startedMs, nowMs);
        this.#modules.tallies.of(peer, message.topic).sendSuccesses += 1;
      },
      (error: unknown) => {
        lanes.release(priority, frame.length);
        if (!this.#isGivenUp(wave)) this.#failed(peer, priority, error);
        this.#modules.gaveUp(peer, message);
      },
    );
    return true;
  }

  sendControl(peer: PeerId, frame: Uint8Array): boolean {
    const { lanes, waves } = this.#peer(peer);
    if (!lanes.hasRoom('control', frame.length)) {
      this.counts.budgetExhausted += 1;
      return false;
    }
    lanes.take('control', frame.length);
    const wave = this.#join(waves, this.#modules.clock.nowMs());
    this.#send(peer, 'control', frame, wave).then(
      () => {
        wave.pending -= 1;
        lanes.release('control', frame.length);
      },
      () => {
        lanes.release('control', frame.length);
        if (!this.#isGivenUp(wave)) this.counts.controlFailed += 1;
      },
    );
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { waves } of this.#peers.values()) waves.close();
    this.#peers.clear();
  }

  #isAdmitted(
    peer: PeerId,
    priority: Priority,
    { lanes, bytes }: { readonly lanes: PeerLanes; readonly bytes: number },
  ): boolean {
    const { admission, counts } = this;
    if (!this.#modules.transport.linkTo(peer)) {
      admission.disconnected[priority] += 1; // the link ended and its event is on the way
      return false;
    }
    if (priority === 'bulk' && this.#modules.isSuspect(peer)) {
      admission.bulkSuspect += 1;
      return false;
    }
    if (lanes.hasRoom(priority, bytes)) return true;
    counts.budgetExhausted += 1;
    if (priority === 'bulk') admission.bulkFull += 1;
    if (priority === 'critical') admission.criticalFull += 1;
    return false;
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
    wave.pending -= 1;
    if (!wave.controller.signal.aborted) return false;
    this.counts.timeouts += 1;
    return true;
  }

  #send(peer: PeerId, trafficClass: TrafficClass, frame: Uint8Array, wave: Wave): Promise<void> {
    wave.pending += 1;
    return this.#modules.transport.send(peer, trafficClass, frame, wave.controller.signal);
  }

  #join(waves: SendWaves, nowMs: number): Wave {
    this.#timer ??= setTimeout(() => this.#watch(), WATCH_EVERY_MS);
    return waves.join(nowMs);
  }

  #watch(): void {
    this.#timer = undefined;
    const { clock, tallies, stalled } = this.#modules;
    let isWaiting = false;
    for (const [peer, { waves }] of this.#peers) {
      for (const wave of waves.expire(clock.nowMs())) {
        const { topics } = wave;
        if (topics.size > 0 && waves.isNewStall(wave, clock.nowMs())) stalled(peer, topics);
        else for (const topic of topics) tallies.of(peer, topic).sendTimeouts += 1;
      }
      isWaiting ||= waves.isWaiting;
    }
    if (isWaiting) this.#timer = setTimeout(() => this.#watch(), WATCH_EVERY_MS);
  }

  #peer(peerId: PeerId): Peer {
    let peer = this.#peers.get(peerId);
    if (!peer) {
      peer = { lanes: new PeerLanes(), waves: new SendWaves() };
      this.#peers.set(peerId, peer);
    }
    return peer;
  }
}

/** The connection that the frame was on ended under it; another may be there already. */
function isLinkOver(error: unknown): boolean {
  return error instanceof MeshproofError && LINK_OVER.has(error.code);
}
