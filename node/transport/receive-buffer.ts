import type { FrameDecoder } from './frames.ts';

/** How many bytes one link makes us hold for frames and requests that are not whole or not handled yet. */
export class ReceiveBuffer {
  readonly maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isOverfull(): boolean {
    return this.#bytes > this.maxBytes;
  }

  /**
   * Feeds `chunk` to `decoder`, counting what it holds from then on; whole bodies in `frames` are the caller's to count.
   * @throws FrameError as `FrameDecoder.push` does
   */
  decode(decoder: FrameDecoder, chunk: Uint8Array, frames: Uint8Array[]): void {
    const before = decoder.bufferedBytes;
    try {
      decoder.push(chunk, frames);
    } finally {
      this.#bytes += decoder.bufferedBytes - before;
    }
  }

  /** `bytes` more are held; fewer when negative. */
  hold(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The decoder will not be fed any more. */
  drop(decoder: FrameDecoder): void {
    this.#bytes -= decoder.bufferedBytes;
  }
}
