import {
  bytesOf,
  chainAfter,
  chainStart,
  lastSeqOf,
  MAX_SEGMENT_ENTRIES,
  type Segment,
  type StreamName,
} from './segment.ts';

const MAX_MERGED_BYTES = 256 * 1024;

/** How far someone has one stream: the last entry, and the chain up to it. */
export interface StreamHead extends StreamName {
  readonly lastSeq: number;
  readonly chain: Uint8Array;
}

/** What a segment is to a stream: the next one, one that is there, one that leaves a gap, or one that contradicts it. */
export type Place = 'next' | 'known' | 'gap' | 'conflict';

interface Kept {
  readonly segment: Segment;
  /** The chain before the segment, and after it. */
  readonly before: Uint8Array;
  readonly chain: Uint8Array;
}

/**
 * The entries of one writer, in order and without a gap. A signature covers all entries up to its own, so that small
 * segments are merged under the last one's, and whoever has any beginning of the stream can go on from there.
 */
export class LogStream implements StreamHead {
  readonly origin: string;
  readonly incarnation: string;
  readonly #start: Uint8Array;
  readonly #kept: Kept[] = [];
  lastSeq = 0;

  constructor(topic: string, { origin, incarnation }: StreamName) {
    this.origin = origin;
    this.incarnation = incarnation;
    this.#start = chainStart(topic, { origin, incarnation });
  }

  get chain(): Uint8Array {
    return this.#kept.at(-1)?.chain ?? this.#start;
  }

  /** The origin's key; null while there is no entry. */
  get publicKey(): Uint8Array | null {
    return this.#kept[0]?.segment.publicKey ?? null;
  }

  /** What `segment` is, and what of it is beyond this stream. */
  place(segment: Segment): { readonly place: Place; readonly tail: Segment } {
    const { firstSeq, payloads } = segment;
    if (firstSeq > this.lastSeq + 1) return { place: 'gap', tail: segment };
    const overlap = Math.min(payloads.length, this.lastSeq + 1 - firstSeq);
    const claimed = chainAfter(this.#chainAt(firstSeq - 1), payloads.slice(0, overlap));
    if (Buffer.compare(claimed, this.#chainAt(firstSeq - 1 + overlap)) !== 0) {
      return { place: 'conflict', tail: segment };
    }
    const tail = { ...segment, firstSeq: firstSeq + overlap, payloads: payloads.slice(overlap) };
    return { place: tail.payloads.length > 0 ? 'next' : 'known', tail };
  }

  /** Adds the next segment; gives by how many bytes the stream grew. The caller has verified it. */
  extend(segment: Segment): number {
    const last = this.#kept.at(-1);
    const kept = { segment, before: this.chain, chain: chainAfter(this.chain, segment.payloads) };
    this.lastSeq = lastSeqOf(segment);
    const payloads = last ? [...last.segment.payloads, ...segment.payloads] : segment.payloads;
    const merged = last && { ...last.segment, payloads, signature: segment.signature };
    const isSmall = payloads.length <= MAX_SEGMENT_ENTRIES && bytesOf({ payloads }) <= MAX_MERGED_BYTES;
    if (merged === undefined || !isSmall) {
      this.#kept.push(kept);
      return bytesOf(segment);
    }
    this.#kept.splice(-1, 1, { segment: merged, before: last?.before ?? this.#start, chain: kept.chain });
    return bytesOf(merged) - bytesOf(last?.segment ?? { payloads: [] });
  }

  /** What someone lacks who has the stream up to `theirs`; `conflict` when they have another one of the same name. */
  after(theirs: Pick<StreamHead, 'lastSeq' | 'chain'> | undefined): readonly Segment[] | 'conflict' {
    if (theirs === undefined || theirs.lastSeq === 0) return this.#kept.map(({ segment }) => segment);
    if (theirs.lastSeq > this.lastSeq) return [];
    if (Buffer.compare(this.#chainAt(theirs.lastSeq), theirs.chain) !== 0) return 'conflict';
    const at = this.#indexOf(theirs.lastSeq);
    return this.#kept.slice(at).flatMap(({ segment }) => {
      const known = Math.max(0, theirs.lastSeq + 1 - segment.firstSeq);
      if (known === 0) return [segment];
      const payloads = segment.payloads.slice(known);
      return payloads.length > 0
        ? [{ ...segment, firstSeq: theirs.lastSeq + 1, payloads, publicKey: null }]
        : [];
    });
  }

  /** The chain up to entry `seq`, which is one of the stream's or 0. */
  #chainAt(seq: number): Uint8Array {
    if (seq === 0) return this.#start;
    const kept = this.#kept[this.#indexOf(seq)];
    if (kept === undefined) return this.#start;
    const { firstSeq, payloads } = kept.segment;
    if (seq === lastSeqOf(kept.segment)) return kept.chain;
    return chainAfter(kept.before, payloads.slice(0, seq + 1 - firstSeq));
  }

  /** The place of the segment that holds entry `seq`, by halves. */
  #indexOf(seq: number): number {
    let [low, high] = [0, this.#kept.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#kept[middle]?.segment.firstSeq ?? 0) <= seq) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
