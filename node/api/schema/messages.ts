import * as z from 'zod';
import { base64, hex64, unixMs } from './figures.ts';

/** Largest payload of one message, before base64: what both gossip and direct messages are bounded by. */
export const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

const topic = z.string().min(1, 'topic must not be empty').max(1_024, 'topic is longer than 1024 characters');
const payload = base64;

/** `POST /publish`. Unknown keys of requests are ignored, as the nearest system does. */
export const publishRequestSchema = z.object({ topic, payload });
export const publishBodySchema = z.strictObject({
  ok: z.literal(true),
  message_id: z.string().optional().describe('hex; what the nearest system does not tell'),
});
export type PublishBody = z.infer<typeof publishBodySchema>;

/** `POST /subscribe` and what it gives; `DELETE /subscribe/:id` ends it. */
export const subscribeRequestSchema = z.object({ topic });
export const subscribeBodySchema = z.strictObject({
  ok: z.literal(true),
  subscription_id: z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 lowercase hex characters'),
});

/** One message of a topic, as `GET /events` carries it inside `data`. */
const topicMessageSchema = z.strictObject({
  subscription_id: z.string(),
  topic: z.string(),
  payload: base64,
  sender: hex64.describe('agent id of the origin'),
  verified: z.boolean().describe("the origin's signature was verified by this node"),
  trust_level: z.string().nullable(),
});
export type TopicMessage = z.infer<typeof topicMessageSchema>;

/** Data of the event `message` of `GET /events`: doubly wrapped, as clients expect it. */
export const messageEventSchema = z.strictObject({ type: z.literal('message'), data: topicMessageSchema });

/** Data of the events `peer:connected` and `peer:disconnected` of `GET /events`. */
export const peerEventSchema = z.strictObject({
  type: z.enum(['peer:connected', 'peer:disconnected']),
  data: z.strictObject({ peer_id: hex64 }),
});

/** Data of the event `direct_message` of `GET /direct/events`. `observed_origin` is absent when not known. */
export const directMessageEventSchema = z.strictObject({
  sender: hex64.describe('agent id'),
  machine_id: hex64,
  payload: base64,
  received_at: unixMs,
  verified: z.boolean(),
  trust_decision: z.string().nullable(),
  observed_origin: z.string().optional(),
});
export type DirectMessageEvent = z.infer<typeof directMessageEventSchema>;

/** Data of the event `peer-lifecycle` of `GET /peers/events`. */
export const peerLifecycleEventSchema = z.strictObject({
  peer_id: hex64,
  event: z.enum(['Established', 'Replaced', 'Closing', 'Closed', 'ReaderExited']),
  at_ms: unixMs,
  reason: z.string().nullable().optional().describe('why, for events that have a why; not in x0xd'),
});
export type PeerLifecycleEvent = z.infer<typeof peerLifecycleEventSchema>;
