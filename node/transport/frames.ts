import { MeshproofError } from '../../kit/errors.ts';
import type { TrafficClass } from './transport.ts';

/** On the wire a frame is: u32 length of the body, u8 version, body. All big-endian. */
const FRAME_VERSION = 1;
export const FRAME_HEADER_BYTES = 5;

const ENVELOPE_SLACK_BYTES = 64 * 1024; // ids, keys and signatures around a 16 MiB payload
/** The largest body of each class, checked before anything is allocated. */
export const FRAME_BOUND_BYTES: Readonly<Record<TrafficClass | 'request', number>> = {
  control: 64 * 1024,
  gossip: 2 * 1024 * 1024,
  direct: 16 * 1024 * 1024 + ENVELOPE_SLACK_BYTES,
  bulk: 16 * 1024 * 1024 + ENVELOPE_SLACK_BYTES,
  request: 16 * 1024 * 1024 + ENVELOPE_SLACK_BYTES,
};

/** A stream did not carry frames; it cannot be read further. Codes: `FRAME_TOO_LARGE`, `FRAME_VERSION`, `FRAME_TRUNCATED`. */
export class FrameError extends MeshproofError {}

/** Writes the header of a body of `bodyBytes` into `into` at `at`. */
export function writeFrameHeader(into: Uint8Array, at: number, bodyBytes: number): void {
  into[at] = bodyBytes >>> 24;
  into[at + 1] = bodyBytes >>> 16;
  into[at + 2] = bodyBytes >>> 8;
  into[at + 3] = bodyBytes;
  into[at + 4] = FRAME_VERSION;
}

/** A whole frame in one buffer; the hot path writes header and body straight into its batch instead. */
export function encodeFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  writeFrameHeader(frame, 0, body.length);
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

const FIRST_ALLOCATION_BYTES = 64 * 1024; // a claimed length earns no more memory than this before bytes arrive

/**
 * Cuts a stream of arbitrary chunks into frame bodies. Each body given out owns its memory. A body's buffer grows
 * with the bytes that came, never ahead of them by more than double, and never past `maxBodyBytes`.
 */
export class FrameDecoder {
  readonly #maxBodyBytes: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerFilled = 0;
  #bodyBytes = 0;
  #body: Uint8Array | undefined;
  #bodyFilled = 0;

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Memory held for a frame that is not whole yet. */
  get bufferedBytes(): number {
    return this.#headerFilled + (this.#body?.length ?? 0);
  }

  /**
   * Appends to `frames` every body that `chunk` completes; `chunk` may be reused afterwards.
   * @throws FrameError when the stream cannot be frames; the decoder must not be used again
   */
  push(chunk: Uint8Array, frames: Uint8Array[]): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFilled < FRAME_HEADER_BYTES) at = this.#takeHeader(chunk, at);
      // An empty body is whole as soon as its header is, also at the end of a chunk.
      if (this.#headerFilled === FRAME_HEADER_BYTES) at = this.#takeBody(chunk, at, frames);
    }
  }

  /**
   * The stream ended here.
   * @throws FrameError `FRAME_TRUNCATED` when that is inside a frame
   */
  end(): void {
    if (this.#headerFilled === 0) return;
    throw new FrameError('FRAME_TRUNCATED', `The stream ended ${this.#bodyFilled} bytes into a frame`);
  }

  #takeHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.#headerFilled < FRAME_HEADER_BYTES && at < chunk.length) {
      this.#header[this.#headerFilled] = chunk[at] ?? 0;
      this.#headerFilled += 1;
      at += 1;
    }
    if (this.#headerFilled === FRAME_HEADER_BYTES) this.#judgeHeader();
    return at;
  }

  #judgeHeader(): void {
    const [a = 0, b = 0, c = 0, d = 0, version] = this.#header;
    this.#bodyBytes = a * 0x1_00_00_00 + (b << 16) + (c << 8) + d;
    if (version !== FRAME_VERSION) {
      throw new FrameError('FRAME_VERSION', `Frame version ${version} is not ${FRAME_VERSION}`);
    }
    if (this.#bodyBytes > this.#maxBodyBytes) {
      throw new FrameError(
        'FRAME_TOO_LARGE',
        `A frame of ${this.#bodyBytes} bytes exceeds the bound of ${this.#maxBodyBytes}`,
        { details: { body_bytes: this.#bodyBytes, max_bytes: this.#maxBodyBytes } },
      );
    }
  }

  #takeBody(chunk: Uint8Array, at: number, frames: Uint8Array[]): number {
    const end = at + this.#bodyBytes - this.#bodyFilled;
    const isWhole = end <= chunk.length;
    const part = chunk.subarray(at, isWhole ? end : chunk.length);
    this.#reserve(this.#bodyFilled + part.length);
    const body = this.#body ?? new Uint8Array(0);
    body.set(part, this.#bodyFilled);
    this.#bodyFilled += part.length;
    if (isWhole) {
      frames.push(body);
      this.#headerFilled = 0;
      this.#body = undefined;
      this.#bodyFilled = 0;
    }
    return at + part.length;
  }

  /** Makes room for `filledBytes` of the body: all of it at once when it is small, doubling on the way otherwise. */
  #reserve(filledBytes: number): void {
    const held = this.#body?.length ?? 0;
    if (this.#body !== undefined && filledBytes <= held) return;
    const wanted = Math.max(filledBytes, held * 2, FIRST_ALLOCATION_BYTES);
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#bodyBytes, wanted));
    if (this.#body !== undefined) grown.set(this.#body.subarray(0, this.#bodyFilled));
    this.#body = grown;
  }
}
