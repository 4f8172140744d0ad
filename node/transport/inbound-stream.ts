import type { Connection } from '@matrixai/quic/native/types.js';
import { FRAME_BOUND_BYTES, FrameDecoder, FrameError } from './frames.ts';
import type { ReceiveBuffer } from './receive-buffer.ts';
import { TRAFFIC_CLASSES, type TrafficClass } from './transport.ts';

export const READ_BUFFER_BYTES = 64 * 1024;
// Shared by all streams: bytes lie here only between one read and the decoder that copies them out.
export const readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

interface InboundStreamModules {
  readonly buffer: ReceiveBuffer;
  /** False when another stream of the peer carries this class already. */
  readonly claim: (trafficClass: TrafficClass) => boolean;
  /** Gives a frame to the room that takes this class; a promise pauses the stream until it settles. */
  readonly deliver: (trafficClass: TrafficClass, frame: Uint8Array) => void | Promise<void>;
  /** Asks for another pump, because reading may go on. */
  readonly resumed: () => void;
  /** A handler of a room above failed; the stream goes on. */
  readonly handlerFailed: (trafficClass: TrafficClass, error: unknown) => void;
}

/** The receiving half of a peer's long-lived stream: opening byte, then frames. */
export class InboundStream {
  readonly #modules: InboundStreamModules;
  readonly #frames: Uint8Array[] = [];
  #trafficClass: TrafficClass | undefined;
  #decoder: FrameDecoder | undefined;
  #isPaused = false;
  #isClosed = false;
  #mayHoldMore = false;
  #heldFrameBytes = 0;

  constructor(modules: InboundStreamModules) {
    this.#modules = modules;
  }

  /**
   * Reads until QUIC has no more or the handler asks for a pause; `'ended'` when the peer finished the stream.
   * @throws FrameError when the bytes are not frames; the native error when the peer reset the stream
   */
  read(connection: Connection, streamId: number): 'open' | 'ended' {
    while (!this.#isPaused) {
      const got = connection.streamRecv(streamId, readBuffer);
      if (got === null) return 'open';
      const [bytes, isEnd] = got;
      this.#take(readBuffer.subarray(0, bytes));
      if (isEnd) {
        this.#decoder?.end();
        return 'ended';
      }
      if (bytes < READ_BUFFER_BYTES) return 'open';
    }
    this.#mayHoldMore = true;
    return 'open';
  }

  /** Nothing is delivered from here on, also not when a pending handler settles. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#frames.length = 0;
    this.#countHeldFrames();
    if (this.#decoder) this.#modules.buffer.drop(this.#decoder);
  }

  #take(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    let frames = chunk;
    if (this.#decoder === undefined || this.#trafficClass === undefined) {
      const trafficClass = TRAFFIC_CLASSES[chunk[0] ?? -1];
      if (trafficClass === undefined) {
        throw new FrameError(
          'STREAM_CLASS',
          `A stream opened with byte ${chunk[0]}, which is no traffic class`,
        );
      }
      if (!this.#modules.claim(trafficClass)) {
        throw new FrameError('STREAM_CLASS_TAKEN', `A second stream came for class ${trafficClass}`);
      }
      this.#trafficClass = trafficClass;
      this.#decoder = new FrameDecoder(FRAME_BOUND_BYTES[trafficClass]);
      frames = chunk.subarray(1);
    }
    this.#modules.buffer.decode(this.#decoder, frames, this.#frames);
    this.#deliver(this.#trafficClass);
  }

  #deliver(trafficClass: TrafficClass): void {
    let delivered = 0;
    for (const frame of this.#frames) {
      if (this.#isPaused || this.#isClosed) break;
      delivered += 1;
      const pending = this.#call(trafficClass, frame);
      if (pending === undefined) continue;
      this.#isPaused = true;
      pending.then(
        () => this.#resume(trafficClass),
        (error) => {
          this.#modules.handlerFailed(trafficClass, error);
          this.#resume(trafficClass);
        },
      );
    }
    if (delivered === this.#frames.length) this.#frames.length = 0;
    else this.#frames.splice(0, delivered);
    this.#countHeldFrames();
  }

  #countHeldFrames(): void {
    if (this.#frames.length === 0 && this.#heldFrameBytes === 0) return;
    const bytes = this.#frames.reduce((sum, frame) => sum + frame.length, 0);
    this.#modules.buffer.hold(bytes - this.#heldFrameBytes);
    this.#heldFrameBytes = bytes;
  }

  #call(trafficClass: TrafficClass, frame: Uint8Array): Promise<void> | undefined {
    try {
      return this.#modules.deliver(trafficClass, frame) ?? undefined;
    } catch (error) {
      this.#modules.handlerFailed(trafficClass, error);
      return undefined;
    }
  }

  #resume(trafficClass: TrafficClass): void {
    if (this.#isClosed) return;
    this.#isPaused = false;
    this.#deliver(trafficClass);
    if (this.#isPaused || !this.#mayHoldMore) return;
    this.#mayHoldMore = false;
    this.#modules.resumed();
  }
}
