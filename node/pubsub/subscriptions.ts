import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { MeshproofError } from '../../kit/errors.ts';
import type { AgentId } from '../transport/transport.ts';

/** A message as subscribers get it. `payload` is shared with the cache: read it, never write to it. */
export interface GossipMessage {
  /** 64 hex. */
  readonly messageId: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The agent whose signature was verified. */
  readonly origin: AgentId;
  /** Counts the origin's publishes since its start, from 1. */
  readonly seq: number;
  /** Links crossed, 0 for our own. */
  readonly hops: number;
  readonly receivedAtUnixMs: number;
}

export interface Subscription {
  /** 16 hex. */
  readonly id: string;
  /** Ends delivery at once; harmless when repeated. */
  cancel(): void;
}

type Deliver = (message: GossipMessage) => void;

/** What a subscriber may say of itself. */
export interface SubscriberTraits {
  /** Whether somebody takes what is delivered now; without it, always. What nobody takes is not delivered. */
  readonly isAttended?: () => boolean;
}

interface Subscriber extends SubscriberTraits {
  readonly deliver: Deliver;
}

const MAX_SUBSCRIPTIONS = 16_384;

/** Who wants which topic on this node. A subscriber that throws is contained, counted, and stays subscribed. */
export class Subscriptions {
  readonly #byTopic = new Map<string, Map<string, Subscriber>>();
  readonly #log: Logger;
  #size = 0;
  readonly counts = { wanted: 0, due: 0, delivered: 0, closed: 0, threw: 0 };

  constructor(modules: { log: Logger }) {
    this.#log = modules.log;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws MeshproofError `SUBSCRIPTIONS_FULL` */
  add(topic: string, deliver: Deliver, traits: SubscriberTraits = {}): Subscription {
    if (this.#size >= MAX_SUBSCRIPTIONS) {
      throw new MeshproofError(
        'SUBSCRIPTIONS_FULL',
        `this node holds ${MAX_SUBSCRIPTIONS} subscriptions already`,
      );
    }
    const id = randomBytes(8).toString('hex');
    const subscribers = this.#byTopic.get(topic) ?? new Map<string, Subscriber>();
    this.#byTopic.set(topic, subscribers.set(id, { ...traits, deliver }));
    this.#size += 1;
    return { id, cancel: () => this.#remove(topic, id) };
  }

  isWanted(topic: string): boolean {
    return this.#byTopic.has(topic);
  }

  deliver(message: GossipMessage): void {
    const subscribers = this.#byTopic.get(message.topic);
    if (!subscribers) return;
    this.counts.wanted += 1;
    for (const [id, { deliver, isAttended }] of [...subscribers]) {
      this.counts.due += 1;
      // An earlier subscriber cancelled this one, or it has nobody who would read.
      if (!subscribers.has(id) || isAttended?.() === false) {
        this.counts.closed += 1;
        continue;
      }
      try {
        deliver(message);
        this.counts.delivered += 1;
      } catch (error) {
        this.counts.threw += 1;
        this.#log.warn({ err: error, subscription: id, topic: message.topic }, 'a subscriber threw');
      }
    }
  }

  clear(): void {
    this.#byTopic.clear();
    this.#size = 0;
  }

  #remove(topic: string, id: string): void {
    const subscribers = this.#byTopic.get(topic);
    if (!subscribers?.delete(id)) return;
    this.#size -= 1;
    if (subscribers.size === 0) this.#byTopic.delete(topic);
  }
}
