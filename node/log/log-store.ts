import { createHash } from 'node:crypto';
import { bytesOf, type Segment, type StreamName } from './segment.ts';
import { LogStream, type Place, type StreamHead } from './stream.ts';

const HEAD_DOMAIN = Buffer.from('meshproof.log.head.v1\0');

/** What one node keeps at most. */
export interface LogLimits {
  readonly maxTopics: number;
  /** Writers of one topic, each restart of a writer being one more. */
  readonly maxStreamsPerTopic: number;
  readonly maxEntriesPerTopic: number;
  /** Of all topics, signatures included. */
  readonly maxBytes: number;
}

export const DEFAULT_LOG_LIMITS: LogLimits = {
  maxTopics: 256,
  maxStreamsPerTopic: 256, // 20 KiB of version vector, well inside a control frame
  maxEntriesPerTopic: 65_536,
  maxBytes: 64 * 1024 * 1024,
};

export interface TopicHead {
  readonly topic: string;
  /** Entries known. */
  readonly height: number;
  readonly headHash: Uint8Array;
}

interface Topic {
  readonly streams: Map<string, LogStream>;
  height: number;
  headHash: Uint8Array | undefined;
}

const nameOf = ({ origin, incarnation }: StreamName) => `${origin}${incarnation}`;

/**
 * The replicated log without I/O: per topic a union of streams, each the signed and chained entries of one writer. Two
 * stores that have taken the same segments, in whatever order and however often, have the same height and head hash;
 * two that have not, differ. Segments must be verified before they are added.
 */
export class LogStore {
  readonly #limits: LogLimits;
  readonly #topics = new Map<string, Topic>();
  bytes = 0;

  constructor(limits: LogLimits = DEFAULT_LOG_LIMITS) {
    this.#limits = limits;
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  topics(): readonly string[] {
    return [...this.#topics.keys()];
  }

  /**
   * Height and head hash of a topic: SHA-256 over its streams in order of their names, with last entry and chain each.
   * A chain commits to all entries of its stream in order, so that the hash is made anew from one value per writer,
   * and only after a change. A topic that nobody wrote to has height 0.
   */
  headOf(topic: string): TopicHead {
    const known = this.#topics.get(topic);
    if (known === undefined) return { topic, height: 0, headHash: hashOf(topic, []) };
    known.headHash ??= hashOf(topic, this.vectorOf(topic));
    return { topic, height: known.height, headHash: known.headHash };
  }

  /** The version vector of a topic: how far each stream is known, in canonical order. */
  vectorOf(topic: string): readonly StreamHead[] {
    const streams = this.#topics.get(topic)?.streams;
    if (streams === undefined) return [];
    return [...streams].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stream]) => stream);
  }

  /** What has to stand before the next segment of a stream. */
  headOfStream(topic: string, name: StreamName): StreamHead & { readonly publicKey: Uint8Array | null } {
    return this.#topics.get(topic)?.streams.get(nameOf(name)) ?? new LogStream(topic, name);
  }

  /** What a segment is to its stream, and what of it is new. */
  place(topic: string, segment: Segment): { readonly place: Place | 'full'; readonly tail: Segment } {
    const stream = this.#topics.get(topic)?.streams.get(nameOf(segment)) ?? new LogStream(topic, segment);
    const placed = stream.place(segment);
    if (placed.place !== 'next') return placed;
    const wanted = { entries: placed.tail.payloads.length, bytes: bytesOf(placed.tail) };
    return this.whyFull(topic, segment, wanted) === null ? placed : { ...placed, place: 'full' };
  }

  /** Which bound keeps so much more of a stream out; null when there is room. */
  whyFull(
    topic: string,
    name: StreamName,
    wanted: { readonly entries: number; readonly bytes: number },
  ): string | null {
    const { maxTopics, maxStreamsPerTopic, maxEntriesPerTopic, maxBytes } = this.#limits;
    const known = this.#topics.get(topic);
    if (known === undefined && this.#topics.size >= maxTopics) return `${maxTopics} topics`;
    const isNewStream = known !== undefined && !known.streams.has(nameOf(name));
    if (isNewStream && known.streams.size >= maxStreamsPerTopic)
      return `${maxStreamsPerTopic} writers of a topic`;
    if ((known?.height ?? 0) + wanted.entries > maxEntriesPerTopic)
      return `${maxEntriesPerTopic} entries of a topic`;
    if (this.bytes + wanted.bytes > maxBytes) return `${maxBytes} bytes of all topics`;
    return null;
  }

  /** Takes what is new of a verified segment if it goes on where its stream ends and there is room. */
  add(topic: string, segment: Segment): Place | 'full' {
    const { place, tail } = this.place(topic, segment);
    if (place !== 'next') return place;
    const known = this.#topics.get(topic) ?? { streams: new Map(), height: 0, headHash: undefined };
    const stream = known.streams.get(nameOf(segment)) ?? new LogStream(topic, segment);
    this.#topics.set(topic, known);
    known.streams.set(nameOf(segment), stream);
    known.height += tail.payloads.length;
    known.headHash = undefined;
    this.bytes += stream.extend(tail);
    return place;
  }

  /**
   * What someone with the version vector `theirs` lacks, in order, as far as about `maxBytes` reach; `conflicts` counts
   * the streams of which they have other entries under the same name: their writer has signed two histories.
   */
  missing(
    topic: string,
    theirs: readonly StreamHead[],
    maxBytes: number,
  ): { readonly segments: readonly Segment[]; readonly hasMore: boolean; readonly conflicts: number } {
    const theirHeads = new Map(theirs.map((head) => [nameOf(head), head]));
    const segments: Segment[] = [];
    let [bytes, conflicts] = [0, 0];
    for (const [name, stream] of this.#topics.get(topic)?.streams ?? []) {
      const after = stream.after(theirHeads.get(name));
      if (after === 'conflict') {
        conflicts += 1;
        continue;
      }
      for (const segment of after) {
        if (bytes >= maxBytes) return { segments, hasMore: true, conflicts };
        segments.push(segment);
        bytes += bytesOf(segment);
      }
    }
    return { segments, hasMore: false, conflicts };
  }
}

function hashOf(topic: string, vector: readonly StreamHead[]): Uint8Array {
  const hash = createHash('sha256')
    .update(HEAD_DOMAIN)
    .update(`${Buffer.byteLength(topic)}:${topic}`);
  const seq = Buffer.alloc(8);
  for (const { origin, incarnation, lastSeq, chain } of vector) {
    seq.writeBigUInt64BE(BigInt(lastSeq));
    hash.update(Buffer.from(origin, 'hex')).update(Buffer.from(incarnation, 'hex')).update(seq).update(chain);
  }
  return hash.digest();
}
