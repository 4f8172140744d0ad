import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import { AdmissionQueue } from './admission-queue.ts';
import type { DirectMessage } from './direct-message.ts';
import { raceDeadline } from './race-deadline.ts';

const MAX_WAITING = 256;
const YIELD_EVERY = 64;

export interface DeliveryLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** How long a newcomer may wait for room before it is turned away. */
  readonly admissionMs: number;
}

export type DirectListener = (message: DirectMessage) => void | Promise<void>;
interface Subscriber {
  readonly listener: DirectListener;
  readonly gone: PromiseWithResolvers<void>;
}

/**
 * Admits messages and hands them to the subscribers, in order, apart from the path that acknowledges. A listener that
 * gives a promise is waited for: while it is pending the queue fills and newcomers are turned away. Without a
 * subscriber messages wait for one until they are too old.
 */
export class Delivery {
  readonly #limits: DeliveryLimits;
  readonly #clock: Clock;
  readonly #log: Pick<Logger, 'error'>;
  readonly #onDelivered: () => void;
  readonly #queue: AdmissionQueue<DirectMessage>;
  readonly #subscribers = new Set<Subscriber>();
  readonly #waiting: { readonly message: DirectMessage; readonly admitted: () => void }[] = [];
  readonly #closing = new AbortController();
  #pumping = false;

  constructor(
    limits: DeliveryLimits,
    modules: {
      readonly clock: Clock;
      readonly log: Pick<Logger, 'error'>;
      /** Called once per message that was handed to the subscribers. */
      readonly onDelivered: () => void;
    },
  ) {
    this.#limits = limits;
    this.#clock = modules.clock;
    this.#log = modules.log;
    this.#onDelivered = modules.onDelivered;
    this.#queue = new AdmissionQueue(limits);
  }

  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  get expiredTotal(): number {
    return this.#queue.expiredTotal;
  }

  /** Takes the message within the admission time (or less, when the caller has less), or not at all. */
  async admit(
    message: DirectMessage,
    patienceMs = Number.POSITIVE_INFINITY,
  ): Promise<'admitted' | 'backpressured'> {
    if (this.#closing.signal.aborted) return 'backpressured';
    if (this.#waiting.length === 0 && this.#queue.offer(message, this.#clock.nowMs()) === 'queued') {
      this.#startPump();
      return 'admitted';
    }
    if (this.#waiting.length >= MAX_WAITING) return 'backpressured';
    return await raceDeadline<'admitted' | 'backpressured'>(
      {
        clock: this.#clock,
        untilMs: this.#clock.nowMs() + Math.min(patienceMs, this.#limits.admissionMs),
        atDeadline: 'backpressured',
        signal: this.#closing.signal,
      },
      (settle) => {
        const waiter = { message, admitted: () => settle('admitted') };
        this.#waiting.push(waiter);
        return () => {
          const at = this.#waiting.indexOf(waiter);
          if (at >= 0) this.#waiting.splice(at, 1);
        };
      },
    ).catch(() => 'backpressured'); // closing
  }

  subscribe(listener: DirectListener): () => void {
    const subscriber = { listener, gone: Promise.withResolvers<void>() };
    this.#subscribers.add(subscriber);
    this.#startPump();
    return () => {
      this.#subscribers.delete(subscriber);
      subscriber.gone.resolve();
    };
  }

  /** Turns every waiting newcomer away and stops delivering. */
  close(): void {
    this.#closing.abort();
    for (const { gone } of this.#subscribers) gone.resolve();
    this.#subscribers.clear();
  }

  #startPump(): void {
    if (this.#pumping || this.#subscribers.size === 0 || this.#queue.length === 0) return;
    this.#pumping = true;
    setImmediate(() => void this.#pump()); // after the acknowledgement has gone out
  }

  async #pump(): Promise<void> {
    for (let handed = 1; this.#subscribers.size > 0; handed += 1) {
      const message = this.#queue.take(this.#clock.nowMs());
      this.#admitWaiting();
      if (message === undefined) break;
      this.#onDelivered();
      for (const subscriber of [...this.#subscribers]) {
        const pending = this.#hand(subscriber, message);
        if (pending) await pending;
      }
      if (handed % YIELD_EVERY === 0) await new Promise(setImmediate);
    }
    this.#pumping = false;
  }

  #admitWaiting(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#queue.offer(next.message, this.#clock.nowMs()) === 'full') return;
      this.#waiting.shift();
      next.admitted();
    }
  }

  /** Gives a promise only where there is something to wait for. It never rejects. */
  #hand({ listener, gone }: Subscriber, message: DirectMessage): Promise<void> | undefined {
    try {
      const pending = listener(message);
      if (!(pending instanceof Promise)) return undefined;
      return Promise.race([pending, gone.promise]).catch((error: unknown) => this.#failed(error, message));
    } catch (error) {
      this.#failed(error, message);
      return undefined;
    }
  }

  #failed(error: unknown, { requestId, sender }: DirectMessage): void {
    this.#log.error(
      { requestId, sender, err: error },
      `a subscriber failed on a direct message: ${messageOf(error)}`,
    );
  }
}
