import type { FastifyInstance } from 'fastify';
import type * as z from 'zod';
import { RequestError } from '../error-reply.ts';
import { abortedWhenGone } from '../request-signal.ts';
import {
  type PublishBody,
  publishRequestSchema,
  type subscribeBodySchema,
  subscribeRequestSchema,
} from '../schema/messages.ts';
import type { ApiServices } from '../services.ts';
import type { SseStream } from '../sse.ts';
import type { Subscriptions } from '../subscriptions.ts';

/** `/publish`, `/subscribe`, `/events`. */
export function pubsubRoutes(
  app: FastifyInstance,
  { pubsub }: ApiServices,
  { subscriptions, events }: { subscriptions: Subscriptions; events: SseStream },
): void {
  app.post('/publish', async ({ body }, reply): Promise<PublishBody> => {
    const { topic, payload } = publishRequestSchema.parse(body);
    const { messageId } = await pubsub.publish(
      topic,
      Buffer.from(payload, 'base64'),
      abortedWhenGone(reply.raw),
    );
    return { ok: true, message_id: messageId };
  });

  app.post('/subscribe', ({ body }, reply) => {
    const { topic } = subscribeRequestSchema.parse(body);
    reply.send({ ok: true, subscription_id: subscriptions.add(topic) } satisfies z.infer<
      typeof subscribeBodySchema
    >);
  });

  app.delete<{ Params: { id: string } }>('/subscribe/:id', ({ params }, reply) => {
    if (!subscriptions.remove(params.id)) throw new RequestError(404, 'subscription not found');
    reply.send({ ok: true });
  });

  app.get('/events', (_request, reply) => {
    events.attach(reply.raw);
    reply.hijack();
  });
}
