import quiche from '@matrixai/quic/native/quiche.js';
import type { Connection } from '@matrixai/quic/native/types.js';
import { messageOf } from '../../kit/errors.ts';
import { FRAME_BOUND_BYTES, FrameDecoder, FrameError } from './frames.ts';
import { READ_BUFFER_BYTES, readBuffer } from './inbound-stream.ts';
import { MessageWriter } from './message-writer.ts';
import { type TransportError, transportError } from './transport-error.ts';

const REQUEST_URGENCY = 1;
const MAX_REQUESTS_IN_FLIGHT = 3_072; // three quarters of the streams that a peer grants us
const FEW_ASKED = 16; // so many questions to QUIC cost less than its list of readable streams
const STREAM_ERROR = { abandoned: 1, failed: 2, malformed: 3, overloaded: 4 } as const;

interface RequestModules {
  readonly connection: Connection;
  readonly ourFirstStreamId: number;
  readonly theirFirstStreamId: number;
  readonly maxReceiveBytes: number;
  readonly answer: (body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
  /** A reply waits to be written. */
  readonly wrote: () => void;
  readonly answerFailed: (error: unknown) => void;
  readonly malformed: () => void;
}

interface Asked {
  readonly decoder: FrameDecoder;
  readonly resolve: (reply: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

interface Answering {
  readonly decoder: FrameDecoder;
  readonly abort: AbortController;
  body: Uint8Array | undefined;
}

/**
 * Requests and replies, one fresh bidirectional stream each: a frame and the end of the stream in both directions.
 * This is the only acceptor of bidirectional streams on a connection.
 */
export class RequestStreams {
  readonly #modules: RequestModules;
  readonly #asked = new Map<number, Asked>();
  readonly #answering = new Map<number, Answering>();
  readonly #writing = new Map<number, MessageWriter>();
  #nextStreamId: number;
  #nextTheirStreamId: number;

  constructor(modules: RequestModules) {
    this.#modules = modules;
    this.#nextStreamId = modules.ourFirstStreamId;
    this.#nextTheirStreamId = modules.theirFirstStreamId;
  }

  /** Streams that are not finished in both directions. */
  get openStreams(): number {
    return this.#asked.size + this.#answering.size;
  }

  get hasWaiting(): boolean {
    return this.#writing.size > 0;
  }

  get queuedBytes(): number {
    let bytes = 0;
    for (const writer of this.#writing.values()) bytes += writer.bytesLeft;
    return bytes;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const { decoder } of this.#asked.values()) bytes += decoder.bufferedBytes;
    for (const { decoder, body } of this.#answering.values()) {
      bytes += decoder.bufferedBytes + (body?.length ?? 0);
    }
    return bytes;
  }

  /** Sends at the next flush. An aborted request resets its stream; the peer's handler sees its signal abort. */
  ask(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#asked.size >= MAX_REQUESTS_IN_FLIGHT) {
      throw transportError(
        'REQUEST_LIMIT',
        `${this.#asked.size} requests to this peer are in flight already`,
      );
    }
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 4;
    this.#writing.set(streamId, new MessageWriter(streamId, body));
    return new Promise<Uint8Array>((resolve, reject) => {
      const onAbort = () => {
        this.#forget(streamId);
        this.#shut(streamId, STREAM_ERROR.abandoned);
        this.#modules.wrote();
        reject(signal.reason);
      };
      const settle = () => signal.removeEventListener('abort', onAbort);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#asked.set(streamId, {
        decoder: new FrameDecoder(FRAME_BOUND_BYTES.request),
        resolve: (reply) => {
          settle();
          resolve(reply);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
    });
  }

  /** Writes what QUIC takes; gives the bytes. Throws the native `StreamLimit` error when no stream can be opened. */
  flush(): number {
    let written = 0;
    for (const [streamId, writer] of this.#writing) {
      try {
        written += writer.write(this.#modules.connection, REQUEST_URGENCY);
      } catch (error) {
        if (messageOf(error).startsWith('StreamLimit')) throw error;
        this.#writing.delete(streamId); // the peer stopped reading; a request learns of it on its reading half
        this.#asked.get(streamId)?.reject(resetError(error));
        this.#asked.delete(streamId);
      }
      if (writer.bytesLeft === 0) this.#writing.delete(streamId);
    }
    return written;
  }

  /** Looks where replies and the next requests most likely are. */
  readExpected(): void {
    const { connection } = this.#modules;
    if (this.#asked.size <= FEW_ASKED) {
      for (const streamId of this.#asked.keys())
        if (connection.streamReadable(streamId)) this.readReply(streamId);
    }
    while (connection.streamReadable(this.#nextTheirStreamId)) this.readRequest(this.#nextTheirStreamId);
  }

  readReply(streamId: number): void {
    const asked = this.#asked.get(streamId);
    const frames: Uint8Array[] = [];
    try {
      const state = this.#read(streamId, asked?.decoder, frames);
      if (asked === undefined) return;
      if (frames.length > 1) throw new FrameError('FRAME_EXTRA', 'More than one frame came as a reply');
      const reply = frames[0];
      if (reply !== undefined) {
        this.#asked.delete(streamId);
        asked.resolve(reply);
      } else if (state === 'ended') {
        throw transportError('REPLY_TRUNCATED', 'The peer ended the stream without a whole reply');
      }
    } catch (error) {
      this.#forget(streamId);
      if (error instanceof FrameError) this.#modules.malformed();
      this.#shut(streamId, STREAM_ERROR.malformed);
      asked?.reject(error instanceof FrameError ? error : resetError(error));
    }
  }

  readRequest(streamId: number): void {
    const answering = this.#answering.get(streamId) ?? this.#accept(streamId);
    const frames: Uint8Array[] = [];
    try {
      const state = this.#read(streamId, answering.decoder, frames);
      for (const frame of frames) {
        if (answering.body) throw new FrameError('FRAME_EXTRA', 'More than one frame came as a request');
        answering.body = frame;
      }
      if (state === 'ended') this.#handle(streamId, answering);
      else if (this.bufferedBytes > this.#modules.maxReceiveBytes)
        this.#drop(streamId, STREAM_ERROR.overloaded);
    } catch (error) {
      if (error instanceof FrameError) this.#modules.malformed();
      this.#drop(streamId, STREAM_ERROR.malformed);
    }
  }

  /** Aborts the handlers of requests that the peer no longer waits for; QUIC shows that only when asked. */
  dropAbandoned(): void {
    for (const [streamId, { body }] of this.#answering) {
      if (body === undefined) continue;
      try {
        this.#modules.connection.streamCapacity(streamId);
      } catch {
        this.#drop(streamId, STREAM_ERROR.abandoned);
      }
    }
  }

  /** The connection is over: every request rejects, every handler's signal aborts. */
  close(errorFor: () => TransportError): void {
    for (const asked of this.#asked.values()) asked.reject(errorFor());
    for (const answering of this.#answering.values()) answering.abort.abort(errorFor());
    this.#asked.clear();
    this.#answering.clear();
    this.#writing.clear();
  }

  #accept(streamId: number): Answering {
    const answering: Answering = {
      decoder: new FrameDecoder(FRAME_BOUND_BYTES.request),
      abort: new AbortController(),
      body: undefined,
    };
    this.#answering.set(streamId, answering);
    this.#nextTheirStreamId = Math.max(this.#nextTheirStreamId, streamId + 4);
    return answering;
  }

  #handle(streamId: number, answering: Answering): void {
    const { body } = answering;
    if (body === undefined) throw new FrameError('FRAME_TRUNCATED', 'The stream ended without a request');
    this.#modules.answer(body, answering.abort.signal).then(
      (reply) => {
        if (!this.#answering.delete(streamId)) return;
        this.#writing.set(streamId, new MessageWriter(streamId, reply));
        this.#modules.wrote();
      },
      (error) => {
        if (!this.#answering.has(streamId)) return;
        this.#modules.answerFailed(error);
        this.#drop(streamId, STREAM_ERROR.failed);
        this.#modules.wrote();
      },
    );
  }

  #read(streamId: number, decoder: FrameDecoder | undefined, frames: Uint8Array[]): 'open' | 'ended' {
    for (;;) {
      const got = this.#modules.connection.streamRecv(streamId, readBuffer);
      if (got === null) return 'open';
      const [bytes, isEnd] = got;
      decoder?.push(readBuffer.subarray(0, bytes), frames);
      if (isEnd) {
        decoder?.end();
        return 'ended';
      }
      if (bytes < READ_BUFFER_BYTES) return 'open';
    }
  }

  #forget(streamId: number): void {
    this.#asked.delete(streamId);
    this.#writing.delete(streamId);
  }

  #drop(streamId: number, code: number): void {
    this.#answering.get(streamId)?.abort.abort(transportError('REQUEST_RESET', 'The request ended early'));
    this.#answering.delete(streamId);
    this.#writing.delete(streamId);
    this.#shut(streamId, code);
  }

  #shut(streamId: number, code: number): void {
    for (const direction of [quiche.Shutdown.Read, quiche.Shutdown.Write]) {
      try {
        this.#modules.connection.streamShutdown(streamId, direction, code);
      } catch {
        // That direction is over already, or the stream never reached QUIC.
      }
    }
  }
}

/** What a native stream error means to the one who asked. */
function resetError(error: unknown): unknown {
  const text = messageOf(error);
  if (!/^Stream(Reset|Stopped)/.test(text)) return error;
  return transportError('REQUEST_RESET', `The peer gave up this request: ${text}`, { native: text });
}
