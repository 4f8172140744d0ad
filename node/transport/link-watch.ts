import type { TransportTuning } from './tuning.ts';

export interface LinkVitals {
  readonly lastSentMs: number;
  readonly lastReceivedMs: number;
  readonly queuedBytes: number;
  /** When the queue was first seen to hold bytes of which none has left since; now, when it is empty. */
  readonly stuckSinceMs: number;
}

type WatchLimits = Pick<TransportTuning, 'idleTimeoutMs' | 'keepAliveMs' | 'stallMs'>;

/**
 * What a look at a link's vitals calls for. Silence is judged by what was received: our own keep-alives restart the
 * idle timer of QUIC, and would let a dead peer live half as long again. A queue that does not move is probed with a
 * packet of its own; when not even that leaves, the connection will never send again (a lost congestion window, a
 * fault below us) and only a new one helps. A peer that merely reads slowly lets the probes out, and stays.
 */
export function judgeVitals(
  vitals: LinkVitals,
  limits: WatchLimits,
  nowMs: number,
): 'fine' | 'ping' | 'silent' | 'stalled' {
  if (nowMs - vitals.lastReceivedMs >= limits.idleTimeoutMs) return 'silent';
  const sentAgoMs = nowMs - vitals.lastSentMs;
  if (vitals.queuedBytes > 0) {
    const stuckMs = Math.min(nowMs - vitals.stuckSinceMs, sentAgoMs);
    if (stuckMs >= limits.stallMs) return 'stalled';
    if (stuckMs >= limits.stallMs / 2) return 'ping';
  }
  const quietMs = Math.min(sentAgoMs, nowMs - vitals.lastReceivedMs);
  return quietMs >= limits.keepAliveMs ? 'ping' : 'fine';
}
