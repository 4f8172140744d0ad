import type { TrafficClass } from './transport.ts';
import { transportError } from './transport-error.ts';

const CONTROL_RESERVE_BYTES = 1024 * 1024; // a queue full of gossip must not silence membership
const HIGH_WATER_SHARE = 0.8;

/** How many bytes wait at one link for QUIC to take them, frames, requests and replies alike, and the bound on them. */
export class SendQueue {
  readonly #capacityBytes: number;
  readonly #highWater: () => void;
  #bytes = 0;
  #isAboveHighWater = false;

  /** `highWater` hears each time that the queue rises to four fifths of its capacity. */
  constructor(capacityBytes: number, highWater: () => void) {
    this.#capacityBytes = capacityBytes;
    this.#highWater = highWater;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes room for what goes out on our own account.
   * @throws TransportError `SEND_QUEUE_FULL`
   */
  reserve(trafficClass: TrafficClass, bytes: number): void {
    const capacity = this.#capacityBytes;
    const after = this.#bytes + bytes;
    if (after > capacity + (trafficClass === 'control' ? CONTROL_RESERVE_BYTES : 0)) {
      throw transportError(
        'SEND_QUEUE_FULL',
        `${after} bytes to this peer would exceed the queue of ${capacity}`,
        { queued_bytes: this.#bytes, capacity_bytes: capacity, retriable: true },
      );
    }
    this.add(bytes);
  }

  /** Counts a reply, which is never refused: the peer's own limit on open requests bounds how many there are. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isAboveHighWater || this.#bytes < this.#capacityBytes * HIGH_WATER_SHARE) return;
    this.#isAboveHighWater = true;
    this.#highWater();
  }

  /** Bytes left the queue, by being sent or given up. */
  release(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < this.#capacityBytes * HIGH_WATER_SHARE) this.#isAboveHighWater = false;
  }
}
