import type { PeerId } from '../transport/transport.ts';
import {
  type Announcement,
  type ControlFrame,
  MAX_IDS_PER_FRAME,
  MAX_TOPICS_PER_FRAME,
  type TopicSummary,
} from './control-frame.ts';
import { bucketOf, bucketsIn, EMPTY_SET_HASH, emptyBucketHashes, maskOf } from './id-set.ts';
import type { MessageCache } from './message-cache.ts';

/** Sets this small are told whole; a round with bucket hashes would cost more than their ids. */
const TELL_WHOLE_BELOW = 64;
/** Ids given in answer to one summary; the rest waits for the next round. */
const MAX_ANSWER_IDS = 8_192;
const ROUND_EVERY_MS = 30_000;
const ALL_BUCKETS = 'ffffffffffffffff';
const NO_BUCKET = '0000000000000000';

/** When the next comparison is due and with whom: one peer per round, for all topics, every peer in turn. */
export class AntiEntropyRounds {
  dueMs = 0;
  #round: number;

  /** Nodes that start with different rounds do not all ask the same peer. */
  constructor(firstRound: number) {
    this.#round = firstRound;
  }

  restart(nowMs: number): void {
    this.dueMs = nowMs + ROUND_EVERY_MS;
  }

  /** The peer to compare with now, if it is time. */
  next(peers: ReadonlyMap<PeerId, unknown>, nowMs: number): PeerId | undefined {
    if (nowMs < this.dueMs || peers.size === 0) return undefined;
    this.restart(nowMs);
    this.#round += 1;
    return [...peers.keys()][this.#round % peers.size];
  }
}

/**
 * Finds what two caches do not share, in three narrowing steps: a summary of 12 bytes and a name per topic; for a
 * topic that differs 64 bucket hashes; for buckets that differ their ids. Equal caches cost one frame, empty ones
 * none. It only ever leads to announcements: what a peer once had and let go is not sent again.
 */
export function summaryFrames(cache: MessageCache): ControlFrame[] {
  const frames: ControlFrame[] = [];
  let topics: TopicSummary[] = [];
  for (const [topic, { entries, ids }] of cache.topics()) {
    if (entries.size === 0) continue;
    topics.push({ topic, count: entries.size, setHash: ids.hash() });
    if (topics.length === MAX_TOPICS_PER_FRAME) {
      frames.push({ kind: 'summary', topics });
      topics = [];
    }
  }
  if (topics.length > 0) frames.push({ kind: 'summary', topics });
  return frames;
}

/** What to say to a peer's summary; nothing when the sets are equal. */
export function answerSummary(cache: MessageCache, theirs: readonly TopicSummary[]): ControlFrame[] {
  const frames: ControlFrame[] = [];
  let ids = 0;
  for (const { topic, count, setHash } of theirs) {
    const ours = cache.topic(topic);
    const size = ours?.entries.size ?? 0;
    if (size === count && (ours?.ids.hash() ?? EMPTY_SET_HASH) === setHash) continue;
    if (ids > MAX_ANSWER_IDS) break;
    if (size + count <= TELL_WHOLE_BELOW) {
      frames.push({ kind: 'digest', topic, mask: ALL_BUCKETS, entries: idsIn(cache, topic, ALL_BUCKETS) });
    } else {
      frames.push({ kind: 'buckets', topic, setHashes: ours?.ids.bucketHashes() ?? emptyBucketHashes() });
    }
    ids += size + count;
  }
  return frames;
}

/** Our ids in the buckets that differ, in as many digests as their bounds need. */
export function answerBuckets(cache: MessageCache, topic: string, theirs: readonly string[]): ControlFrame[] {
  const ours = cache.topic(topic)?.ids.bucketHashes() ?? emptyBucketHashes();
  const differing = ours.flatMap((setHash, bucket) => (setHash === theirs[bucket] ? [] : [bucket]));
  if (differing.length === 0) return [];
  const byBucket = new Map<number, Announcement[]>(differing.map((bucket) => [bucket, []]));
  for (const { id, hops } of cache.topic(topic)?.entries.values() ?? []) {
    byBucket.get(bucketOf(id))?.push({ id, hops });
  }
  const frames: ControlFrame[] = [];
  let buckets: number[] = [];
  let entries: Announcement[] = [];
  const close = () => frames.push({ kind: 'digest', topic, mask: maskOf(buckets), entries });
  for (const [bucket, ids] of byBucket) {
    if (entries.length + ids.length > MAX_IDS_PER_FRAME && buckets.length > 0) {
      close();
      [buckets, entries] = [[], []];
    }
    buckets.push(bucket);
    entries.push(...ids.slice(0, MAX_IDS_PER_FRAME));
  }
  close();
  return frames;
}

/**
 * Digests of what we hold in the digest's buckets and its sender does not. They are for no bucket of their own, so
 * nobody answers them; that they are digests tells the receiver what led to its question.
 */
export function lackingFrames(
  cache: MessageCache,
  {
    topic,
    mask,
    entries,
  }: { readonly topic: string; readonly mask: string; readonly entries: readonly Announcement[] },
): ControlFrame[] {
  const theirs = new Set(entries.map(({ id }) => id));
  const lacking = idsIn(cache, topic, mask).filter(({ id }) => !theirs.has(id));
  const frames: ControlFrame[] = [];
  for (let at = 0; at < lacking.length; at += MAX_IDS_PER_FRAME) {
    const told = lacking.slice(at, at + MAX_IDS_PER_FRAME);
    frames.push({ kind: 'digest', topic, mask: NO_BUCKET, entries: told });
  }
  return frames;
}

function idsIn(cache: MessageCache, topic: string, mask: string): Announcement[] {
  const buckets = bucketsIn(mask);
  const announcements: Announcement[] = [];
  for (const { id, hops } of cache.topic(topic)?.entries.values() ?? []) {
    if (buckets.has(bucketOf(id))) announcements.push({ id, hops });
  }
  return announcements;
}
