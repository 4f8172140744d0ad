import type { Connection } from '@matrixai/quic/native/types.js';
import { messageOf } from '../../kit/errors.ts';
import { FRAME_BOUND_BYTES, FRAME_HEADER_BYTES, FrameDecoder, FrameError } from './frames.ts';
import { MessageWriter } from './message-writer.ts';
import type { ReceiveBuffer } from './receive-buffer.ts';
import { REQUEST_URGENCY, readFrames, resetStream, STREAM_ERROR } from './request-stream.ts';
import type { SendQueue } from './send-queue.ts';
import type { RequestStep } from './transport.ts';
import { type TransportError, transportError } from './transport-error.ts';

const MAX_REQUESTS_IN_FLIGHT = 3_072; // three quarters of the streams that a peer grants us
const FEW_ASKED = 16; // so many questions to QUIC cost less than its list of readable streams

interface AskedModules {
  readonly connection: Connection;
  readonly firstStreamId: number;
  readonly sendQueue: SendQueue;
  readonly receiveBuffer: ReceiveBuffer;
  /** A reset waits to be sent. */
  readonly needsPump: () => void;
  readonly malformed: () => void;
}

interface Asked {
  readonly writer: MessageWriter;
  readonly decoder: FrameDecoder;
  readonly onStep: ((step: RequestStep) => void) | undefined;
  /** Undefined until the first write: a stream id that QUIC never hears of would be a credit lost. */
  streamId: number | undefined;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** Our own requests on one link: a frame and the end of a fresh bidirectional stream each, and the reply on it. */
export class AskedRequests {
  readonly #modules: AskedModules;
  readonly #byStream = new Map<number, Asked>();
  readonly #writing = new Set<Asked>();
  #unopened = 0;
  #nextStreamId: number;

  constructor(modules: AskedModules) {
    this.#modules = modules;
    this.#nextStreamId = modules.firstStreamId;
  }

  /** Requests without a reply yet. */
  get size(): number {
    return this.#byStream.size + this.#unopened;
  }

  /**
   * Sends at the next flush. An aborted request resets its stream; the peer's handler sees its signal abort.
   * @throws TransportError `REQUEST_LIMIT`, `SEND_QUEUE_FULL`
   */
  ask(body: Uint8Array, signal: AbortSignal, onStep?: (step: RequestStep) => void): Promise<Uint8Array> {
    if (this.size >= MAX_REQUESTS_IN_FLIGHT) {
      throw transportError('REQUEST_LIMIT', `${this.size} requests to this peer are in flight already`);
    }
    this.#modules.sendQueue.reserve('direct', FRAME_HEADER_BYTES + body.length);
    return new Promise<Uint8Array>((resolve, reject) => {
      const onAbort = () => {
        this.#forget(asked);
        if (asked.streamId !== undefined) this.#reset(asked.streamId, STREAM_ERROR.abandoned);
        reject(signal.reason);
      };
      const settle = () => signal.removeEventListener('abort', onAbort);
      const asked: Asked = {
        writer: new MessageWriter(body),
        decoder: new FrameDecoder(FRAME_BOUND_BYTES.request),
        onStep,
        streamId: undefined,
        resolve: (reply) => {
          settle();
          resolve(reply);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#writing.add(asked);
      this.#unopened += 1;
    });
  }

  /** Writes what QUIC takes; gives the bytes. Throws the native `StreamLimit` error when no stream can be opened. */
  flush(): number {
    let written = 0;
    for (const asked of this.#writing) {
      try {
        written += this.#write(asked);
      } catch (error) {
        if (messageOf(error).startsWith('StreamLimit')) throw error;
        this.#forget(asked); // the peer stopped reading
        asked.reject(resetError(error));
      }
    }
    return written;
  }

  /** Looks where replies most likely are. */
  readExpected(): void {
    if (this.#byStream.size > FEW_ASKED) return;
    const { connection } = this.#modules;
    for (const streamId of this.#byStream.keys())
      if (connection.streamReadable(streamId)) this.readReply(streamId);
  }

  readReply(streamId: number): void {
    const { connection, receiveBuffer: buffer, malformed } = this.#modules;
    const asked = this.#byStream.get(streamId);
    const frames: Uint8Array[] = [];
    try {
      const { state } = readFrames(connection, streamId, { decoder: asked?.decoder, buffer, frames });
      if (asked === undefined) return;
      if (frames.length > 1) throw new FrameError('FRAME_EXTRA', 'More than one frame came as a reply');
      const reply = frames[0];
      if (reply !== undefined) {
        this.#forget(asked);
        if (asked.writer.bytesLeft > 0) this.#reset(streamId, STREAM_ERROR.abandoned); // it did not wait for our end
        asked.resolve(reply);
      } else if (state === 'ended') {
        throw transportError('REPLY_TRUNCATED', 'The peer ended the stream without a whole reply');
      }
    } catch (error) {
      if (error instanceof FrameError) malformed();
      this.#reset(streamId, STREAM_ERROR.malformed);
      if (asked === undefined) return;
      this.#forget(asked);
      asked.reject(error instanceof FrameError ? error : resetError(error));
    }
  }

  /** The connection is over: every request rejects. */
  close(errorFor: () => TransportError): void {
    for (const asked of [...this.#byStream.values(), ...this.#writing]) {
      this.#forget(asked);
      asked.reject(errorFor());
    }
  }

  #write(asked: Asked): number {
    const { connection, sendQueue } = this.#modules;
    if (asked.streamId === undefined) {
      const streamId = this.#nextStreamId;
      connection.streamPriority(streamId, REQUEST_URGENCY, true); // opens it, or throws
      this.#nextStreamId += 4;
      this.#unopened -= 1;
      asked.streamId = streamId;
      this.#byStream.set(streamId, asked);
      asked.onStep?.('opened');
    }
    const taken = asked.writer.write(connection, asked.streamId);
    sendQueue.release(taken);
    if (asked.writer.bytesLeft === 0) {
      this.#writing.delete(asked);
      asked.onStep?.('written');
      asked.onStep?.('finished'); // the end of the stream went with the last byte
    }
    return taken;
  }

  #forget(asked: Asked): void {
    const { sendQueue, receiveBuffer } = this.#modules;
    if (this.#writing.delete(asked)) sendQueue.release(asked.writer.bytesLeft);
    if (asked.streamId === undefined) this.#unopened -= 1;
    else if (this.#byStream.delete(asked.streamId)) receiveBuffer.drop(asked.decoder);
  }

  #reset(streamId: number, code: number): void {
    resetStream(this.#modules.connection, streamId, code);
    this.#modules.needsPump();
  }
}

/** What a native stream error means to the one who asked. */
function resetError(error: unknown): unknown {
  const text = messageOf(error);
  if (!/^Stream(Reset|Stopped)/.test(text)) return error;
  return transportError('REQUEST_RESET', `The peer gave up this request: ${text}`, { native: text });
}
