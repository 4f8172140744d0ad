import type { Clock } from '../../kit/clock.ts';
import { DeadlineError } from '../../kit/deadline.ts';
import type { PeerId, TrafficClass, Transport } from '../transport/transport.ts';
import type { PeerTallies, PeerTally } from './peer-tally.ts';
import { SendTimeout } from './send-timeout.ts';
import { StageTiming } from './stage-timing.ts';

/** Bounds of what one peer may have waiting; a stalled peer costs no more than this. */
const MAX_PENDING_BYTES = 8_388_608;
const MAX_PENDING_FRAMES = 4_096;
const MAX_PENDING_CONTROL = 512;
/** Sends that begin within this time share a deadline, one timer and one AbortSignal. */
const WAVE_MS = 100;
const WATCH_EVERY_MS = 250;

interface Wave {
  readonly startedMs: number;
  readonly controller: AbortController;
  pending: number;
}

interface Lane {
  readonly waves: Wave[];
  readonly timeout: SendTimeout;
  pendingBytes: number;
  pendingFrames: number;
  pendingControl: number;
}

interface OutboundModules {
  readonly transport: Pick<Transport, 'send'>;
  readonly clock: Clock;
  readonly tallies: PeerTallies;
}

/**
 * Hands frames to the transport, to all peers at once, each within its own budget and timeout: a slow peer only
 * costs itself. Nobody waits for the outcome; it is counted.
 */
export class Outbound {
  readonly #modules: OutboundModules;
  readonly #lanes = new Map<PeerId, Lane>();
  readonly sendTime = new StageTiming();
  readonly counts = { timeouts: 0, budgetExhausted: 0, admitted: 0, failed: 0, controlFailed: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(modules: OutboundModules) {
    this.#modules = modules;
  }

  pendingFrames(peer: PeerId): number {
    return this.#lanes.get(peer)?.pendingFrames ?? 0;
  }

  peerDown(peer: PeerId): void {
    this.#lanes.delete(peer);
  }

  /** False when the peer's budget is spent. */
  sendEager(peer: PeerId, topic: string, frame: Uint8Array): boolean {
    const lane = this.#lane(peer);
    if (lane.pendingBytes + frame.length > MAX_PENDING_BYTES || lane.pendingFrames >= MAX_PENDING_FRAMES) {
      this.counts.budgetExhausted += 1;
      return false;
    }
    this.counts.admitted += 1;
    lane.pendingBytes += frame.length;
    lane.pendingFrames += 1;
    this.#send({ peer, lane, trafficClass: 'gossip', frame, tally: this.#modules.tallies.of(peer, topic) });
    return true;
  }

  sendControl(peer: PeerId, frame: Uint8Array): boolean {
    const lane = this.#lane(peer);
    if (lane.pendingControl >= MAX_PENDING_CONTROL) {
      this.counts.budgetExhausted += 1;
      return false;
    }
    lane.pendingControl += 1;
    this.#send({ peer, lane, trafficClass: 'control', frame, tally: undefined });
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { waves } of this.#lanes.values()) {
      for (const { controller } of waves) controller.abort(new Error('gossip is stopping'));
    }
    this.#lanes.clear();
  }

  #send(send: {
    readonly peer: PeerId;
    readonly lane: Lane;
    readonly trafficClass: TrafficClass;
    readonly frame: Uint8Array;
    readonly tally: PeerTally | undefined;
  }): void {
    const { peer, lane, trafficClass, frame, tally } = send;
    const { clock, transport } = this.#modules;
    const startedMs = clock.nowMs();
    const wave = this.#wave(lane, startedMs);
    wave.pending += 1;
    const settled = () => {
      wave.pending -= 1;
      if (tally) {
        lane.pendingBytes -= frame.length;
        lane.pendingFrames -= 1;
      } else lane.pendingControl -= 1;
    };
    transport.send(peer, trafficClass, frame, wave.controller.signal).then(
      () => {
        settled();
        if (!tally) return;
        const tookMs = clock.nowMs() - startedMs;
        this.sendTime.record(tookMs);
        lane.timeout.sent(tookMs);
        tally.sendSuccesses += 1;
      },
      () => {
        settled();
        if (wave.controller.signal.aborted) {
          this.counts.timeouts += 1;
          if (tally) tally.sendTimeouts += 1;
        } else if (tally) this.counts.failed += 1;
        else this.counts.controlFailed += 1;
      },
    );
  }

  #wave(lane: Lane, nowMs: number): Wave {
    const last = lane.waves.at(-1);
    if (last && nowMs - last.startedMs < WAVE_MS && !last.controller.signal.aborted) return last;
    const wave = { startedMs: nowMs, controller: new AbortController(), pending: 0 };
    if (lane.waves.length > 0) dropSettled(lane.waves);
    lane.waves.push(wave);
    this.#timer ??= setTimeout(() => this.#watch(), WATCH_EVERY_MS);
    return wave;
  }

  #watch(): void {
    this.#timer = undefined;
    const nowMs = this.#modules.clock.nowMs();
    let isWaiting = false;
    for (const { waves, timeout } of this.#lanes.values()) {
      dropSettled(waves);
      if (waves.length === 0) continue;
      isWaiting = true;
      const limitMs = timeout.limitMs();
      for (const { startedMs, controller } of waves) {
        if (nowMs - startedMs <= limitMs) break;
        if (!controller.signal.aborted) controller.abort(new DeadlineError('a gossip send', limitMs));
      }
    }
    if (isWaiting) this.#timer = setTimeout(() => this.#watch(), WATCH_EVERY_MS);
  }

  #lane(peer: PeerId): Lane {
    let lane = this.#lanes.get(peer);
    if (!lane) {
      lane = { waves: [], timeout: new SendTimeout(), pendingBytes: 0, pendingFrames: 0, pendingControl: 0 };
      this.#lanes.set(peer, lane);
    }
    return lane;
  }
}

function dropSettled(waves: Wave[]): void {
  while (waves[0]?.pending === 0) waves.shift();
}
