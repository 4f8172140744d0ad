import { BoundedQueue } from '../../kit/bounded.ts';

interface AdmissionLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Messages that nobody took for so long are dropped and counted: without a subscriber they must not pile up. */
  readonly maxAgeMs: number;
}

/** Admitted messages between the network and the subscribers: bounded by count, bytes and age. Pure. */
export class AdmissionQueue<T extends { readonly payload: Uint8Array }> {
  readonly #limits: AdmissionLimits;
  readonly #queue: BoundedQueue<{ readonly message: T; readonly atMs: number }>;
  #bytes = 0;
  expiredTotal = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
    this.#queue = new BoundedQueue({ max: limits.maxMessages, full: 'refuse' });
  }

  get length(): number {
    return this.#queue.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the message in, or says that there is no room. */
  offer(message: T, nowMs: number): 'queued' | 'full' {
    this.#expire(nowMs);
    const full =
      this.#queue.length >= this.#limits.maxMessages ||
      (this.#queue.length > 0 && this.#bytes + message.payload.length > this.#limits.maxBytes);
    if (full) return 'full';
    this.#queue.push({ message, atMs: nowMs });
    this.#bytes += message.payload.length;
    return 'queued';
  }

  /** The oldest message that is still fresh. */
  take(nowMs: number): T | undefined {
    this.#expire(nowMs);
    return this.#shift();
  }

  #shift(): T | undefined {
    const entry = this.#queue.shift();
    if (entry) this.#bytes -= entry.message.payload.length;
    return entry?.message;
  }

  #expire(nowMs: number): void {
    for (;;) {
      const head = this.#queue.peek();
      if (head === undefined || nowMs - head.atMs < this.#limits.maxAgeMs) return;
      this.#shift();
      this.expiredTotal += 1;
    }
  }
}
