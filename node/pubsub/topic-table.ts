import type { PeerId } from '../transport/transport.ts';
import { TopicLinks } from './topic-links.ts';

interface TopicTableOptions {
  readonly maxTopics: number;
  readonly idleTtlMs: number;
  /** Called for every topic that is let go, idle or to make room. */
  readonly onForget: (topic: string) => void;
}

/**
 * The topics of this node and their links. There is no interest to announce: every node relays every topic, and a
 * message reaches a node whether or not someone subscribes there. A topic exists from its first message until it has
 * been idle for its time to live; past the bound the one unused longest makes room.
 */
export class TopicTable {
  readonly #options: TopicTableOptions;
  readonly #topics = new Map<string, TopicLinks>();
  readonly #peers = new Set<PeerId>();
  evicted = 0;

  constructor(options: TopicTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#topics.size;
  }

  get peers(): ReadonlySet<PeerId> {
    return this.#peers;
  }

  entries(): MapIterator<[string, TopicLinks]> {
    return this.#topics.entries();
  }

  get(topic: string): TopicLinks | undefined {
    return this.#topics.get(topic);
  }

  /** The topic's links, made now if it is new. */
  use(topic: string, nowMs: number): TopicLinks {
    let links = this.#topics.get(topic);
    if (!links) {
      if (this.#topics.size >= this.#options.maxTopics) this.#forgetLeastUsed();
      links = new TopicLinks(this.#peers, nowMs);
      this.#topics.set(topic, links);
    }
    links.lastUsedMs = nowMs;
    return links;
  }

  peerUp(peer: PeerId): void {
    this.#peers.add(peer);
    for (const links of this.#topics.values()) links.peerUp(peer);
  }

  /** Forgets the peer; gives the topics that have no eager link left. */
  peerDown(peer: PeerId): [string, TopicLinks][] {
    this.#peers.delete(peer);
    const orphans: [string, TopicLinks][] = [];
    for (const [topic, links] of this.#topics) {
      links.peerDown(peer);
      if (links.eagerCount === 0) orphans.push([topic, links]);
    }
    return orphans;
  }

  expire(nowMs: number): void {
    for (const [topic, { lastUsedMs }] of this.#topics) {
      if (nowMs - lastUsedMs >= this.#options.idleTtlMs) this.#forget(topic);
    }
  }

  #forgetLeastUsed(): void {
    let least: string | undefined;
    let leastMs = Number.POSITIVE_INFINITY;
    for (const [topic, { lastUsedMs }] of this.#topics) {
      if (lastUsedMs < leastMs) [least, leastMs] = [topic, lastUsedMs];
    }
    if (least === undefined) return;
    this.evicted += 1;
    this.#forget(least);
  }

  #forget(topic: string): void {
    this.#topics.delete(topic);
    this.#options.onForget(topic);
  }
}
