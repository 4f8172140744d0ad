import type { GossipDocument } from '../api/schema/gossip.ts';
import type { ReceivePump } from './receive-pump.ts';

type PumpDocument = GossipDocument['recv_pump'];

/** Membership frames are handled by their own room as they come, and bulk carries nothing: no queue, no handlers. */
const NO_HANDLING = {
  received: 0,
  completed: 0,
  timed_out: 0,
  max_elapsed_ms: 0,
  total_elapsed_ns: 0,
  over_1s_count: 0,
  over_5s_count: 0,
  over_30s_count: 0,
} as const;
const NO_QUEUE = {
  produced_total: 0,
  enqueued_total: 0,
  dequeued_total: 0,
  dropped_full: 0,
  shed_priority: 0,
  dropped_closed: 0,
  latest_depth: 0,
  max_depth: 0,
  capacity: 0,
  max_dwell_ms: 0,
  avg_dwell_ms: null,
  producer_per_sec: 0,
  consumer_per_sec: 0,
  pauses_total: 0,
} as const;
const NO_DEPTH = { latest: 0, max: 0, capacity: 0 } as const;

/** The parts `dispatcher` and `recv_pump` of `/diagnostics/gossip`. */
export function pumpDocuments(
  pump: ReceivePump,
  uptimeSecs: number,
): Pick<GossipDocument, 'dispatcher' | 'recv_pump'> {
  const { counts, handling } = pump;
  return {
    dispatcher: {
      pubsub: {
        received: counts.dequeued,
        completed: counts.completed,
        timed_out: counts.timedOut,
        max_elapsed_ms: handling.maxMs,
        total_elapsed_ns: Math.round(handling.totalMs * 1e6),
        ...handling.overCounts(),
      },
      membership: NO_HANDLING,
      bulk: NO_HANDLING,
      recv_depth: {
        pubsub: { latest: pump.depth, max: pump.maxDepth, capacity: pump.capacity },
        membership: NO_DEPTH,
        bulk: NO_DEPTH,
      },
      pubsub_workers: pump.workers,
      membership_workers: 0,
    },
    recv_pump: {
      uptime_secs: uptimeSecs,
      pubsub: {
        produced_total: counts.produced,
        enqueued_total: counts.enqueued,
        dequeued_total: counts.dequeued,
        dropped_full: counts.droppedFull,
        shed_priority: counts.shedPriority,
        dropped_closed: counts.droppedClosed,
        latest_depth: pump.depth,
        max_depth: pump.maxDepth,
        capacity: pump.capacity,
        max_dwell_ms: counts.maxDwellMs,
        avg_dwell_ms: counts.dequeued === 0 ? null : counts.totalDwellMs / counts.dequeued,
        producer_per_sec: perSecond(counts.produced, uptimeSecs),
        consumer_per_sec: perSecond(counts.dequeued, uptimeSecs),
        pauses_total: counts.pauses,
      },
      membership: NO_QUEUE,
      bulk: NO_QUEUE,
      direct: null,
      per_peer: perPeer(pump),
    },
  };
}

function perSecond(count: number, uptimeSecs: number): number {
  return uptimeSecs > 0 ? count / uptimeSecs : 0;
}

function perPeer(pump: ReceivePump): PumpDocument['per_peer'] {
  const rows: PumpDocument['per_peer'] = {};
  for (const [peer, { produced, droppedFull, pauses }] of pump.perPeer.entries()) {
    rows[peer] = {
      pubsub_produced: produced,
      membership_produced: 0,
      bulk_produced: 0,
      pubsub_dropped_full: droppedFull,
      membership_dropped_full: 0,
      bulk_dropped_full: 0,
      pubsub_pauses: pauses,
    };
  }
  return rows;
}
