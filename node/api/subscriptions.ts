import { randomBytes } from 'node:crypto';
import type * as z from 'zod';
import { MeshproofError } from '../../kit/errors.ts';
import type { GossipMessage } from '../pubsub/subscriptions.ts';
import type { messageEventSchema } from './schema/messages.ts';
import type { PubSubService } from './services.ts';
import type { SseStream } from './sse.ts';

const MAX_SUBSCRIPTIONS = 4_096;

/** The subscriptions made over the API, each feeding `/events` under its own id. */
export class Subscriptions {
  readonly #pubsub: PubSubService;
  readonly #events: SseStream;
  readonly #byId = new Map<string, { cancel(): void }>();

  constructor(pubsub: PubSubService, events: SseStream) {
    this.#pubsub = pubsub;
    this.#events = events;
    // Every event of this stream but the two about peers comes from a subscription.
    events.onEvicted = (count) => pubsub.recordSlowSubscriberDrops(count);
  }

  /**
   * Subscribes and gives the id, 16 hex characters. Two subscriptions to one topic are two ids and two events.
   * @throws MeshproofError `SUBSCRIPTIONS_FULL`
   */
  add(topic: string): string {
    if (this.#byId.size >= MAX_SUBSCRIPTIONS) {
      throw new MeshproofError(
        'SUBSCRIPTIONS_FULL',
        `more than ${MAX_SUBSCRIPTIONS} subscriptions; delete some first`,
      );
    }
    const id = randomBytes(8).toString('hex');
    // Held before subscribing, since a topic may deliver at once.
    this.#byId.set(id, { cancel: () => {} });
    this.#byId.set(
      id,
      this.#pubsub.subscribe(topic, (message) => this.#deliver(id, message), {
        isAttended: () => this.#events.clients > 0,
      }),
    );
    return id;
  }

  /** False when there is no such subscription. Nothing of it is delivered after this returns. */
  remove(id: string): boolean {
    const subscription = this.#byId.get(id);
    this.#byId.delete(id);
    subscription?.cancel();
    return subscription !== undefined;
  }

  clear(): void {
    for (const id of [...this.#byId.keys()]) this.remove(id);
  }

  #deliver(id: string, { topic, payload, origin }: GossipMessage): void {
    if (!this.#byId.has(id)) return;
    this.#events.send('message', {
      type: 'message',
      // Gossip hands out nothing that it has not verified.
      data: {
        subscription_id: id,
        topic,
        payload: toBase64(payload),
        sender: origin,
        verified: true,
        trust_level: null,
      },
    } satisfies z.infer<typeof messageEventSchema>);
  }
}

/** Standard base64 of a view, without copying it first. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
