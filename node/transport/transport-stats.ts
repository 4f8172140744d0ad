import type { CloseReason } from './close-codes.ts';
import { isRefusal } from './close-codes.ts';
import type { PeerSession } from './peer-session.ts';
import type { PeerStreams } from './peer-streams.ts';
import type { LinkStats } from './transport.ts';

const MAX_CLOSE_REASONS = 64; // a peer chooses the QUIC code that it closes with

/** Counts since start. All of them only grow. */
export class TransportCounters {
  establishedTotal = 0;
  replacedTotal = 0;
  closedTotal = 0;
  readerExitedTotal = 0;
  dialsTotal = 0;
  inboundTotal = 0;
  dialFailuresTotal = 0;
  connectsWhileConnectedTotal = 0;
  disconnectsTotal = 0;
  sendQueueHighWaterTotal = 0;
  malformedFramesTotal = 0;
  unclaimedFramesTotal = 0;
  expiredRequestsTotal = 0;
  readonly helloRefusalsByReason: Record<string, number> = {};
  /** Names are ours or QUIC's error codes; what is beyond 64 of them is `other`. */
  readonly closedByReason: Record<string, number> = {};

  /** The counts as `TransportStats` has them. */
  snapshot() {
    return {
      ...this,
      helloRefusalsByReason: { ...this.helloRefusalsByReason },
      closedByReason: { ...this.closedByReason },
    };
  }

  /** A link ended. */
  countClose({ name }: CloseReason): void {
    this.closedTotal += 1;
    const isKnown =
      name in this.closedByReason || Object.keys(this.closedByReason).length < MAX_CLOSE_REASONS;
    const key = isKnown ? name : 'other';
    this.closedByReason[key] = (this.closedByReason[key] ?? 0) + 1;
  }

  /** A connection ended before its hello was done. */
  countRefusal(reason: CloseReason): void {
    if (!isRefusal(reason.name)) return;
    this.helloRefusalsByReason[reason.name] = (this.helloRefusalsByReason[reason.name] ?? 0) + 1;
  }
}

/** What QUIC and our driver know of one link now; undefined before its hello is done. */
export function linkStatsOf(session: PeerSession, nowMs: number): LinkStats | undefined {
  const { link, connection, streams } = session;
  if (link === undefined || streams === undefined) return undefined;
  const stats = connection.native.stats();
  const path = connection.native.pathStats().find(({ active }) => active);
  return {
    link,
    rttMs: path?.rtt ?? null,
    congestionWindowBytes: path?.cwnd ?? null,
    sentPackets: stats.sent,
    lostPackets: stats.lost,
    lostBytes: stats.lostBytes,
    sentBytes: stats.sentBytes,
    receivedBytes: stats.recvBytes,
    sentDatagrams: connection.sentDatagrams,
    receivedDatagrams: connection.receivedDatagrams,
    mtuBytes: path?.pmtu ?? null,
    lastSentAgoMs: Math.max(0, nowMs - connection.lastSentMs),
    lastReceivedAgoMs: Math.max(0, nowMs - connection.lastReceivedMs),
    queuedBytes: streams.queuedBytes,
    sendCapacityBytes: sendCapacityOf(streams),
  };
}

/** QUIC can be asked from the first flush on. */
function sendCapacityOf(streams: Pick<PeerStreams, 'sendCapacity'>): number | null {
  try {
    return streams.sendCapacity();
  } catch {
    return null;
  }
}
