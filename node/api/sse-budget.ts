import type { SseQueue } from './sse-queue.ts';

/** Bytes that may wait for all readers of all streams of a node together. */
export const SSE_BUDGET_BYTES = 64 * 1024 * 1024; // four readers that stand still at their own bound of 16 MiB

/** One bound over the queues of all readers: when they exceed it together, the largest gives way first. */
export class SseBudget {
  readonly maxBytes: number;
  readonly #queues = new Map<SseQueue, (events: number) => void>();

  constructor(maxBytes: number = SSE_BUDGET_BYTES) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const queue of this.#queues.keys()) bytes += queue.bytes;
    return bytes;
  }

  /** Counts `queue` in until it is removed; `onEvicted` hears how many of its events had to go. */
  add(queue: SseQueue, onEvicted: (events: number) => void): void {
    this.#queues.set(queue, onEvicted);
  }

  remove(queue: SseQueue): void {
    this.#queues.delete(queue);
  }

  /** Takes the oldest events of whichever queue is the largest until all fit; call it after every push that waits. */
  settle(): void {
    let overBytes = this.usedBytes - this.maxBytes;
    while (overBytes > 0) {
      const [queue, onEvicted] = [...this.#queues].reduce((a, b) => (b[0].bytes > a[0].bytes ? b : a));
      const beforeBytes = queue.bytes;
      onEvicted(queue.evictOldest());
      overBytes -= beforeBytes - queue.bytes;
    }
  }
}
