import { BoundedMap } from '../kit/bounded.ts';
import { withinBudget } from '../kit/deadline.ts';
import { codeOf, FaultError } from '../kit/errors.ts';
import type { TopicMessage } from '../node/api/schema/messages.ts';
import type { NodeApi } from './node-api.ts';

const TOPICS_MAX = 64;
const CALL_BUDGET_MS = 5_000;

export interface TopicFollower {
  readonly onMessage: (message: TopicMessage) => void;
  /** The stream had broken and stands again: messages in between are lost to this follower. */
  readonly onResubscribed: () => void;
}

interface Followed {
  readonly followers: Set<TopicFollower>;
  /** Resolves to the id under which messages of the topic come now. */
  subscription: Promise<string>;
}

/**
 * One subscription per topic, however many follow it, made again whenever the event stream was attached again. Events
 * under an id that was given up are not passed on, so that renewing neither loses nor doubles a message.
 */
export class TopicDesk {
  readonly #currentApi: () => NodeApi;
  readonly #byTopic = new BoundedMap<string, Followed>({ max: TOPICS_MAX });
  readonly #topicBySubscription = new Map<string, string>();

  constructor(currentApi: () => NodeApi) {
    this.#currentApi = currentApi;
  }

  /**
   * Follows `topic`; resolves once the node confirmed the subscription. Gives a function that ends it.
   * @throws FaultError `TOPICS_FULL`, or what the node answers
   */
  async follow(topic: string, follower: TopicFollower, signal: AbortSignal): Promise<() => Promise<void>> {
    let followed = this.#byTopic.get(topic);
    if (!followed) {
      if (this.#byTopic.size >= TOPICS_MAX) {
        throw new FaultError('TOPICS_FULL', `already following ${TOPICS_MAX} topics`);
      }
      followed = { followers: new Set(), subscription: this.#subscribe(this.#currentApi(), topic) };
      this.#byTopic.set(topic, followed);
    }
    followed.followers.add(follower);
    try {
      await withinBudget(`subscription to ${topic}`, CALL_BUDGET_MS, () => followed.subscription, signal);
    } catch (error) {
      await this.#leave(topic, followed, follower);
      throw error;
    }
    return () => this.#leave(topic, followed, follower);
  }

  deliver(message: TopicMessage): void {
    const topic = this.#topicBySubscription.get(message.subscription_id);
    if (topic === undefined || topic !== message.topic) return; // given up, or another client's
    for (const follower of [...(this.#byTopic.get(topic)?.followers ?? [])]) follower.onMessage(message);
  }

  /** Subscribes anew to everything followed, then gives up the old ids. */
  async renew(api: NodeApi): Promise<void> {
    const renewed = [...this.#byTopic.entries()];
    const previous = renewed.map(([, followed]) => followed.subscription.catch(() => undefined));
    for (const [topic, followed] of renewed) followed.subscription = this.#subscribe(api, topic);
    const current = new Set(await Promise.all(renewed.map(([, followed]) => followed.subscription)));
    for (const stale of await Promise.all(previous)) {
      // A restarted node may hand out an id again: then it names a subscription of now.
      if (stale !== undefined && !current.has(stale)) await this.#giveUp(api, stale);
    }
    for (const [, { followers }] of renewed) for (const follower of followers) follower.onResubscribed();
  }

  #subscribe(api: NodeApi, topic: string): Promise<string> {
    const subscription = api.subscribe(topic, { timeoutMs: CALL_BUDGET_MS }).then((id) => {
      this.#topicBySubscription.set(id, topic);
      return id;
    });
    subscription.catch(() => {}); // whoever follows the topic awaits it and hears
    return subscription;
  }

  async #leave(topic: string, followed: Followed, follower: TopicFollower): Promise<void> {
    followed.followers.delete(follower);
    if (followed.followers.size > 0 || this.#byTopic.get(topic) !== followed) return;
    this.#byTopic.delete(topic);
    const id = await followed.subscription.catch(() => undefined);
    if (id !== undefined) await this.#giveUp(this.#currentApi(), id);
  }

  async #giveUp(api: NodeApi, id: string): Promise<void> {
    this.#topicBySubscription.delete(id);
    try {
      await api.unsubscribe(id, { timeoutMs: CALL_BUDGET_MS });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

/** The node does not know the subscription, or is not there: either way it is over. */
function isGone(error: unknown): boolean {
  return ['NODE_HTTP_ERROR', 'NODE_UNREACHABLE', 'NODE_TIMEOUT'].includes(codeOf(error));
}
