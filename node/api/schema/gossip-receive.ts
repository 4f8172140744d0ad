import * as z from 'zod';
import { counter, figure, gauge, milliseconds } from './figures.ts';

const handling = z.strictObject({
  received: counter,
  completed: counter,
  timed_out: counter.describe('handlers ended by the watchdog; received = completed + timed_out + in flight'),
  max_elapsed_ms: milliseconds.describe('high-water mark'),
  total_elapsed_ns: counter,
  over_1s_count: counter,
  over_5s_count: counter,
  over_30s_count: counter,
});

const depth = z.strictObject({ latest: gauge, max: gauge, capacity: gauge });

/** Handler invocations by kind of stream. */
export const dispatcherSchema = z.strictObject({
  pubsub: handling,
  membership: handling,
  bulk: handling,
  recv_depth: z.strictObject({ pubsub: depth, membership: depth, bulk: depth }),
  pubsub_workers: gauge.describe('concurrent pubsub handlers allowed now'),
  membership_workers: gauge,
});

/** produced = enqueued + dropped_full + shed_priority + dropped_closed; enqueued = dequeued + latest_depth. */
const pumpStage = z.strictObject({
  produced_total: counter.describe('frames read from the transport'),
  enqueued_total: counter,
  dequeued_total: counter,
  dropped_full: counter,
  shed_priority: counter.describe('control frames shed above 90 % of capacity'),
  dropped_closed: counter,
  latest_depth: gauge,
  max_depth: gauge.describe('high-water mark'),
  capacity: gauge,
  max_dwell_ms: milliseconds.describe('high-water mark'),
  avg_dwell_ms: milliseconds.nullable().describe('null before the first frame left the queue'),
  producer_per_sec: figure.min(0).describe('lifetime average'),
  consumer_per_sec: figure.min(0).describe('lifetime average'),
  pauses_total: counter.describe(
    "times that a peer's messages were not read on, since too many of its frames waited",
  ),
});

const peerPump = z.strictObject({
  pubsub_produced: counter,
  membership_produced: counter,
  bulk_produced: counter,
  pubsub_dropped_full: counter,
  membership_dropped_full: counter,
  bulk_dropped_full: counter,
  pubsub_pauses: counter,
});

/** The queues between the transport's readers and the handlers. */
export const recvPumpSchema = z.strictObject({
  uptime_secs: figure.min(0),
  pubsub: pumpStage,
  membership: pumpStage,
  bulk: pumpStage,
  direct: pumpStage.nullable().describe('null while direct messages do not pass through the pump'),
  per_peer: z.record(z.string(), peerPump),
});
