import { BoundedQueue } from '../../kit/bounded.ts';

export interface SseBounds {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Per client. 8192 events as in the nearest system; bytes bound what 8192 large events would cost. */
export const SSE_BOUNDS: SseBounds = { maxEvents: 8_192, maxBytes: 16 * 1024 * 1024 };

/**
 * Frames waiting for one client: bounded by count and by bytes, the oldest making room and being counted. One frame
 * larger than the byte bound is still taken when it is alone, so that nothing is undeliverable by size.
 */
export class SseQueue {
  readonly #bounds: SseBounds;
  readonly #frames: BoundedQueue<Uint8Array>;
  #bytes = 0;
  evicted = 0;

  constructor(bounds: SseBounds) {
    this.#bounds = bounds;
    this.#frames = new BoundedQueue({ max: bounds.maxEvents, full: 'refuse' });
  }

  get length(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Gives how many frames had to go. */
  push(frame: Uint8Array): number {
    let gone = 0;
    while (
      this.length > 0 &&
      (this.length >= this.#bounds.maxEvents || this.#bytes + frame.length > this.#bounds.maxBytes)
    ) {
      this.#shift();
      gone += 1;
    }
    this.#frames.push(frame);
    this.#bytes += frame.length;
    this.evicted += gone;
    return gone;
  }

  /** Lets the oldest frame go; gives how many went, 0 when there is none. */
  evictOldest(): number {
    if (this.#shift() === undefined) return 0;
    this.evicted += 1;
    return 1;
  }

  /** Takes as many whole frames as fit into `maxBytes`, at least one, joined; undefined when empty. */
  takeBatch(maxBytes: number): Uint8Array | undefined {
    const first = this.#shift();
    if (first === undefined) return undefined;
    const batch = [first];
    let size = first.length;
    for (let next = this.#frames.peek(); next !== undefined; next = this.#frames.peek()) {
      if (size + next.length > maxBytes) break;
      this.#shift();
      batch.push(next);
      size += next.length;
    }
    return batch.length === 1 ? first : Buffer.concat(batch, size);
  }

  #shift(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    if (frame !== undefined) this.#bytes -= frame.length;
    return frame;
  }
}
