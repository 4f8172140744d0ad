import * as z from 'zod';
import { counter, gauge } from './figures.ts';
import { dispatcherSchema, recvPumpSchema } from './gossip-receive.ts';
import { pubsubStagesSchema } from './gossip-stages.ts';

const stats = z.strictObject({
  publish_total: counter.describe('local publishes accepted'),
  publish_failed: counter.describe('local publishes refused or failed'),
  incoming_total: counter.describe('application messages handed to decode'),
  incoming_decoded: counter.describe('of these decoded, verified, and wanted by a local subscriber'),
  incoming_decode_failed: counter.describe('malformed, or the signature was wrong'),
  delivered_to_subscriber: counter.describe('one per delivery to a subscriber'),
  slow_subscriber_dropped: counter.describe('events or subscribers lost because a queue was full'),
  subscriber_channel_closed: counter.describe('subscriber gone at delivery'),
  in_flight_decode: gauge,
  decode_to_delivery_drops: gauge.describe(
    'decoded minus delivered minus closed, floored at 0; 0 on a healthy node',
  ),
});

/** `/diagnostics/gossip` without its envelope: publish and delivery counters, protocol stages, dispatch, receive pump. */
export const gossipDocumentSchema = z.strictObject({
  stats,
  pubsub_stages: pubsubStagesSchema,
  dispatcher: dispatcherSchema,
  recv_pump: recvPumpSchema,
  discovery_cache_entries: z.strictObject({ agents: gauge, machines: gauge, users: gauge }),
});
export type GossipDocument = z.infer<typeof gossipDocumentSchema>;
