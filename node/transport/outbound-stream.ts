import type { Connection } from '@matrixai/quic/native/types.js';
import { FRAME_HEADER_BYTES, writeFrameHeader } from './frames.ts';

/** One frame on its way into QUIC. `takenBytes` counts header and body. */
export interface OutboundFrame {
  readonly body: Uint8Array;
  takenBytes: number;
  state: 'waiting' | 'abandoned';
  readonly signal: AbortSignal;
  onAbort: (() => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const BATCH_BYTES = 64 * 1024;
const LONE_BODY_BYTES = 16 * 1024; // from here a body goes to QUIC from where it lies, without a copy
// Shared by all streams: a batch lives only for the one call that hands it over.
const batch = Buffer.allocUnsafeSlow(BATCH_BYTES);

interface OutboundStreamOptions {
  readonly streamId: number;
  /** Opens the stream on the wire and tells what it carries. */
  readonly openingByte: number;
  readonly urgency: number;
  readonly opens: 'at-once' | 'with-first-frame';
}

/**
 * The sending half of one long-lived stream. Frames leave in order, many in one write. A frame whose first byte has
 * been handed over is always completed, also when its caller has given up: the receiver never sees a short frame.
 */
export class OutboundStream {
  readonly #options: OutboundStreamOptions;
  readonly #connection: Connection;
  readonly #released: (bytes: number) => void;
  #frames: OutboundFrame[] = [];
  #watched = 0; // so many frames at the head watch their signal already
  #isOpened = false;
  #openingBytesLeft = 1;

  /** `released` hears of bytes that left the queue, by being sent or abandoned. */
  constructor(options: OutboundStreamOptions, connection: Connection, released: (bytes: number) => void) {
    this.#options = options;
    this.#connection = connection;
    this.#released = released;
  }

  push(frame: OutboundFrame): void {
    this.#frames.push(frame);
  }

  /**
   * Hands over what QUIC takes; gives the number of bytes. Frames left behind watch their signal from then on.
   * @throws the native error when the stream cannot be used (`StreamLimit`, `StreamStopped(code)`)
   */
  flush(): number {
    const mustOpen = this.#options.opens === 'at-once' && this.#openingBytesLeft > 0;
    if (this.#frames.length === 0 && !mustOpen) return 0;
    this.#open();
    let written = 0;
    for (;;) {
      const chunk = this.#nextChunk();
      if (chunk.length === 0) return written;
      const taken = this.#connection.streamSend(this.#options.streamId, chunk, false) ?? 0;
      written += taken;
      this.#consume(taken);
      if (taken < chunk.length) break;
    }
    for (const frame of this.#frames.slice(this.#watched)) this.#watchSignal(frame);
    this.#watched = this.#frames.length;
    return written;
  }

  /** Takes back every frame of which QUIC has nothing yet, in order. */
  takeUntouched(): readonly OutboundFrame[] {
    const untouched = this.#frames.filter((frame) => frame.takenBytes === 0 && frame.state === 'waiting');
    this.#frames = this.#frames.filter((frame) => frame.takenBytes > 0);
    this.#watched = Math.min(this.#watched, this.#frames.length);
    for (const frame of untouched) {
      unwatchSignal(frame);
      this.#released(frame.body.length);
    }
    return untouched;
  }

  rejectAll(errorFor: () => unknown): void {
    const frames = this.#frames;
    this.#frames = [];
    this.#watched = 0;
    for (const frame of frames) {
      unwatchSignal(frame);
      this.#released(frame.body.length);
      if (frame.state === 'waiting') frame.reject(errorFor());
    }
  }

  #open(): void {
    if (this.#isOpened) return;
    this.#connection.streamPriority(this.#options.streamId, this.#options.urgency, true);
    this.#isOpened = true;
  }

  #nextChunk(): Uint8Array {
    let at = 0;
    if (this.#openingBytesLeft > 0) {
      batch[0] = this.#options.openingByte;
      at = 1;
    }
    for (const frame of this.#frames) {
      const bodyLeft = frame.body.length - Math.max(0, frame.takenBytes - FRAME_HEADER_BYTES);
      if (bodyLeft >= LONE_BODY_BYTES && frame.takenBytes >= FRAME_HEADER_BYTES) {
        return at > 0 ? batch.subarray(0, at) : frame.body.subarray(frame.body.length - bodyLeft);
      }
      if (at + FRAME_HEADER_BYTES > BATCH_BYTES) break;
      at = copyFrame(frame, at);
      if (at === BATCH_BYTES || bodyLeft >= LONE_BODY_BYTES) break;
    }
    return batch.subarray(0, at);
  }

  #consume(taken: number): void {
    let left = taken;
    if (left > 0 && this.#openingBytesLeft > 0) {
      this.#openingBytesLeft = 0;
      left -= 1;
    }
    let done = 0;
    for (const frame of this.#frames) {
      if (left === 0) break;
      const part = Math.min(left, FRAME_HEADER_BYTES + frame.body.length - frame.takenBytes);
      frame.takenBytes += part;
      left -= part;
      if (frame.takenBytes < FRAME_HEADER_BYTES + frame.body.length) break;
      done += 1;
      this.#complete(frame);
    }
    if (done === 0) return;
    this.#frames.splice(0, done);
    this.#watched = Math.max(0, this.#watched - done);
  }

  #complete(frame: OutboundFrame): void {
    unwatchSignal(frame);
    this.#released(frame.body.length);
    if (frame.state === 'waiting') frame.resolve();
  }

  #watchSignal(frame: OutboundFrame): void {
    if (frame.signal.aborted) {
      this.#abandon(frame);
      return;
    }
    frame.onAbort = () => this.#abandon(frame);
    frame.signal.addEventListener('abort', frame.onAbort, { once: true });
  }

  #abandon(frame: OutboundFrame): void {
    frame.state = 'abandoned';
    frame.reject(frame.signal.reason);
    if (frame.takenBytes > 0) return;
    const index = this.#frames.indexOf(frame);
    this.#frames.splice(index, 1);
    if (index < this.#watched) this.#watched -= 1;
    this.#released(frame.body.length);
  }
}

function unwatchSignal(frame: OutboundFrame): void {
  if (frame.onAbort !== undefined) frame.signal.removeEventListener('abort', frame.onAbort);
  frame.onAbort = undefined;
}

/** Copies what is left of `frame` into the batch from `at`, as far as it fits; gives where it ended. */
function copyFrame(frame: OutboundFrame, at: number): number {
  let end = at;
  if (frame.takenBytes < FRAME_HEADER_BYTES) {
    if (frame.takenBytes === 0) {
      writeFrameHeader(batch, end, frame.body.length);
      end += FRAME_HEADER_BYTES;
    } else {
      const header = new Uint8Array(FRAME_HEADER_BYTES);
      writeFrameHeader(header, 0, frame.body.length);
      batch.set(header.subarray(frame.takenBytes), end);
      end += FRAME_HEADER_BYTES - frame.takenBytes;
    }
  }
  const from = Math.max(0, frame.takenBytes - FRAME_HEADER_BYTES);
  const part = frame.body.subarray(from, from + BATCH_BYTES - end);
  batch.set(part, end);
  return end + part.length;
}
