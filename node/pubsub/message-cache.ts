import type { AgentId, PeerId } from '../transport/transport.ts';
import { IdSet } from './id-set.ts';

/** A verified message as the core keeps it; `frame` is what is sent to the next hop. */
export interface HeldMessage {
  readonly id: string;
  readonly topic: string;
  readonly origin: AgentId;
  /** Links crossed on the way here, 0 for our own. */
  readonly hops: number;
  /** When the origin published it, on this node's monotonic clock. */
  readonly bornAtMs: number;
  readonly frame: Uint8Array;
}

/** Bounds of the cache. Source: node constants of saorsa-gossip 0.5.71; the total is ours. */
export interface CacheLimits {
  readonly messagesPerTopic: number;
  readonly bytesPerTopic: number;
  readonly maxAgeMs: number;
  readonly totalBytes: number;
}

export const DEFAULT_CACHE_LIMITS: CacheLimits = {
  messagesPerTopic: 2_048,
  bytesPerTopic: 16_777_216,
  maxAgeMs: 60_000,
  totalBytes: 134_217_728,
};

const BOOKKEEPING_BYTES = 256; // ids, map entries and the object itself, about
const ORDER_SLACK_MS = 1_000; // ages are measured per hop and differ by transit times
const MAX_REPLIES_PER_PEER = 3; // of one message; gossipsub's retransmission limit

interface Entry extends HeldMessage {
  readonly bytes: number;
  replies: Map<PeerId, number> | undefined;
}

/** What one topic keeps, and what it had to let go, since the topic was first seen. */
export class TopicCache {
  readonly entries = new Map<string, Entry>();
  readonly ids = new IdSet();
  totalBytes = 0;
  evictedByAge = 0;
  evictedByBytes = 0;
  evictedByCount = 0;
  /** True while a repaired, older message may stand behind a younger one, so that expiry must look at all. */
  unordered = false;
  youngestBornAtMs = Number.NEGATIVE_INFINITY;

  remove(id: string): number {
    const entry = this.entries.get(id);
    if (!entry) return 0;
    this.entries.delete(id);
    this.ids.toggle(id);
    this.totalBytes -= entry.bytes;
    return entry.bytes;
  }
}

/**
 * The messages that this node can give to others, by topic, bounded by age, then bytes, then count, and by bytes over
 * all topics. Every eviction is counted by its reason.
 */
export class MessageCache {
  readonly #limits: CacheLimits;
  readonly #topics = new Map<string, TopicCache>();
  #totalBytes = 0;
  #count = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  topic(topic: string): TopicCache | undefined {
    return this.#topics.get(topic);
  }

  topics(): MapIterator<[string, TopicCache]> {
    return this.#topics.entries();
  }

  get(topic: string, id: string): HeldMessage | undefined {
    return this.#topics.get(topic)?.entries.get(id);
  }

  add(message: HeldMessage, nowMs: number): void {
    if (nowMs - message.bornAtMs >= this.#limits.maxAgeMs) return;
    let cache = this.#topics.get(message.topic);
    if (!cache) {
      cache = new TopicCache();
      this.#topics.set(message.topic, cache);
    }
    if (cache.entries.has(message.id)) return;
    const bytes = message.frame.length + BOOKKEEPING_BYTES;
    cache.entries.set(message.id, { ...message, bytes, replies: undefined });
    cache.ids.toggle(message.id);
    cache.totalBytes += bytes;
    this.#totalBytes += bytes;
    this.#count += 1;
    if (message.bornAtMs < cache.youngestBornAtMs - ORDER_SLACK_MS) cache.unordered = true;
    cache.youngestBornAtMs = Math.max(cache.youngestBornAtMs, message.bornAtMs);
    this.#shrink(cache, nowMs);
  }

  /** The message for a peer that asks, at most three times each; `undefined` when gone, unknown or asked too often. */
  reply(topic: string, id: string, peer: PeerId): HeldMessage | undefined {
    const entry = this.#topics.get(topic)?.entries.get(id);
    if (!entry) return undefined;
    entry.replies ??= new Map();
    const given = entry.replies.get(peer) ?? 0;
    if (given >= MAX_REPLIES_PER_PEER) return undefined;
    entry.replies.set(peer, given + 1);
    return entry;
  }

  /** A message did not leave for `peer` after all: if it was a reply, it counts as none. */
  takeBack({ topic, id }: { readonly topic: string; readonly id: string }, peer: PeerId): void {
    const replies = this.#topics.get(topic)?.entries.get(id)?.replies;
    const given = replies?.get(peer);
    if (given) replies?.set(peer, given - 1);
  }

  /** Lets go of everything past its age. */
  expire(nowMs: number): void {
    for (const cache of this.#topics.values())
      this.#expireTopic(cache, nowMs, cache.unordered ? 'all' : 'head');
  }

  forgetTopic(topic: string): void {
    const cache = this.#topics.get(topic);
    if (!cache) return;
    this.#totalBytes -= cache.totalBytes;
    this.#count -= cache.entries.size;
    this.#topics.delete(topic);
  }

  #shrink(cache: TopicCache, nowMs: number): void {
    this.#expireTopic(cache, nowMs, 'head');
    while (cache.totalBytes > this.#limits.bytesPerTopic && this.#evictOldest(cache))
      cache.evictedByBytes += 1;
    while (cache.entries.size > this.#limits.messagesPerTopic && this.#evictOldest(cache))
      cache.evictedByCount += 1;
    while (this.#totalBytes > this.#limits.totalBytes) {
      const largest = this.#largestTopic();
      if (!largest || !this.#evictOldest(largest)) break;
      largest.evictedByBytes += 1;
    }
  }

  #expireTopic(cache: TopicCache, nowMs: number, reach: 'head' | 'all'): void {
    for (const entry of cache.entries.values()) {
      const expired = nowMs - entry.bornAtMs >= this.#limits.maxAgeMs;
      if (expired) {
        this.#remove(cache, entry.id);
        cache.evictedByAge += 1;
      } else if (reach === 'head') break;
    }
    if (cache.entries.size === 0) cache.unordered = false;
  }

  #evictOldest(cache: TopicCache): boolean {
    const oldest = cache.entries.keys().next().value;
    if (oldest === undefined) return false;
    this.#remove(cache, oldest);
    return true;
  }

  #remove(cache: TopicCache, id: string): void {
    this.#totalBytes -= cache.remove(id);
    this.#count -= 1;
  }

  #largestTopic(): TopicCache | undefined {
    let largest: TopicCache | undefined;
    for (const cache of this.#topics.values())
      if (!largest || cache.totalBytes > largest.totalBytes) largest = cache;
    return largest;
  }
}
