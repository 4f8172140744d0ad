import type { Connection } from '@matrixai/quic/native/types.js';
import { encodeFrame, FRAME_HEADER_BYTES, writeFrameHeader } from './frames.ts';

const SMALL_BODY_BYTES = 60 * 1024;
// Shared by all writers: its bytes live only for the one call that hands them over.
const scratch = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + SMALL_BODY_BYTES);

/** Writes one frame and the end of its stream, over as many attempts as QUIC needs. */
export class MessageWriter {
  readonly #body: Uint8Array;
  #frame: Uint8Array | undefined;
  #takenBytes = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  get bytesLeft(): number {
    return FRAME_HEADER_BYTES + this.#body.length - this.#takenBytes;
  }

  /** Hands over what fits and gives its length; throws the native error when the stream is of no use. */
  write(connection: Connection, streamId: number): number {
    const taken = connection.streamSend(streamId, this.#rest(), true) ?? 0;
    this.#takenBytes += taken;
    return taken;
  }

  #rest(): Uint8Array {
    if (this.#frame === undefined && this.#takenBytes === 0 && this.#body.length <= SMALL_BODY_BYTES) {
      writeFrameHeader(scratch, 0, this.#body.length);
      scratch.set(this.#body, FRAME_HEADER_BYTES);
      return scratch.subarray(0, FRAME_HEADER_BYTES + this.#body.length);
    }
    this.#frame ??= encodeFrame(this.#body);
    return this.#frame.subarray(this.#takenBytes);
  }
}
