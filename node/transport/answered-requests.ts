import type { Connection } from '@matrixai/quic/native/types.js';
import { FRAME_BOUND_BYTES, FrameDecoder, FrameError } from './frames.ts';
import { MessageWriter } from './message-writer.ts';
import type { ReceiveBuffer } from './receive-buffer.ts';
import { REQUEST_URGENCY, readFrames, resetStream, STREAM_ERROR } from './request-stream.ts';
import { judgeArrival, type RequestArrival } from './request-watch.ts';
import type { SendQueue } from './send-queue.ts';
import { type TransportError, transportError } from './transport-error.ts';

interface AnsweredModules {
  readonly connection: Connection;
  readonly firstStreamId: number;
  readonly sendQueue: SendQueue;
  readonly receiveBuffer: ReceiveBuffer;
  /** How long a request may stand still before it is whole. */
  readonly stallMs: number;
  readonly answer: (body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
  /** A reply or a reset waits to be sent. */
  readonly needsPump: () => void;
  readonly answerFailed: (error: unknown) => void;
  readonly malformed: () => void;
  /** A request was reset because the rest of it did not come in time. */
  readonly expired: () => void;
}

interface Answering {
  readonly decoder: FrameDecoder;
  readonly abort: AbortController;
  body: Uint8Array | undefined;
  /** Undefined once the request is whole. */
  arrival: RequestArrival | undefined;
}

/** The peer's requests on one link. This is the only acceptor of bidirectional streams on a connection. */
export class AnsweredRequests {
  readonly #modules: AnsweredModules;
  readonly #answering = new Map<number, Answering>();
  readonly #writing = new Map<number, MessageWriter>();
  #nextStreamId: number;

  constructor(modules: AnsweredModules) {
    this.#modules = modules;
    this.#nextStreamId = modules.firstStreamId;
  }

  /** Requests that are not whole or not answered. */
  get size(): number {
    return this.#answering.size;
  }

  /** Writes what QUIC takes of the replies; gives the bytes. */
  flush(): number {
    let written = 0;
    for (const [streamId, writer] of this.#writing) {
      try {
        const taken = writer.write(this.#modules.connection, streamId);
        this.#modules.sendQueue.release(taken);
        written += taken;
        if (writer.bytesLeft === 0) this.#writing.delete(streamId);
      } catch {
        this.#forgetReply(streamId); // the peer gave up its request
      }
    }
    return written;
  }

  /** Looks where the next requests most likely are. */
  readExpected(): void {
    while (this.#modules.connection.streamReadable(this.#nextStreamId)) this.readRequest(this.#nextStreamId);
  }

  readRequest(streamId: number): void {
    const { connection, receiveBuffer: buffer, malformed } = this.#modules;
    const answering = this.#answering.get(streamId) ?? this.#accept(streamId);
    const frames: Uint8Array[] = [];
    try {
      const { state, readBytes } = readFrames(connection, streamId, {
        decoder: answering.decoder,
        buffer,
        frames,
      });
      if (answering.arrival) answering.arrival.receivedBytes += readBytes;
      for (const frame of frames) {
        if (answering.body) throw new FrameError('FRAME_EXTRA', 'More than one frame came as a request');
        answering.body = frame;
        buffer.hold(frame.length);
      }
      if (state === 'ended') this.#handle(streamId, answering);
      else if (buffer.isOverfull) this.#drop(streamId, STREAM_ERROR.overloaded);
    } catch (error) {
      if (error instanceof FrameError) malformed();
      this.#drop(streamId, STREAM_ERROR.malformed);
    }
  }

  /** Resets requests that stand still, and aborts handlers whose peer no longer waits: QUIC shows that only when asked. */
  tick(nowMs: number): void {
    for (const [streamId, { arrival }] of this.#answering) {
      if (arrival !== undefined) {
        if (judgeArrival(arrival, this.#modules.stallMs, nowMs) === 'arriving') continue;
        this.#modules.expired();
        this.#drop(streamId, STREAM_ERROR.expired);
        continue;
      }
      try {
        this.#modules.connection.streamCapacity(streamId);
      } catch {
        this.#drop(streamId, STREAM_ERROR.abandoned);
      }
    }
  }

  /** The connection is over: every handler's signal aborts. */
  close(errorFor: () => TransportError): void {
    for (const [streamId, { abort }] of this.#answering) {
      this.#forget(streamId);
      abort.abort(errorFor());
    }
    for (const streamId of this.#writing.keys()) this.#forgetReply(streamId);
  }

  #accept(streamId: number): Answering {
    const answering: Answering = {
      decoder: new FrameDecoder(FRAME_BOUND_BYTES.request),
      abort: new AbortController(),
      body: undefined,
      arrival: { receivedBytes: 0, seen: undefined },
    };
    this.#answering.set(streamId, answering);
    this.#nextStreamId = Math.max(this.#nextStreamId, streamId + 4);
    return answering;
  }

  #handle(streamId: number, answering: Answering): void {
    const { body } = answering;
    if (body === undefined) throw new FrameError('FRAME_TRUNCATED', 'The stream ended without a request');
    if (answering.arrival === undefined) return; // its end is told once more
    answering.arrival = undefined;
    this.#modules.answer(body, answering.abort.signal).then(
      (reply) => {
        if (!this.#forget(streamId)) return;
        this.#reply(streamId, reply);
      },
      (error) => {
        if (!this.#answering.has(streamId)) return;
        this.#modules.answerFailed(error);
        this.#drop(streamId, STREAM_ERROR.failed);
      },
    );
  }

  #reply(streamId: number, reply: Uint8Array): void {
    const { connection, sendQueue, needsPump } = this.#modules;
    try {
      connection.streamPriority(streamId, REQUEST_URGENCY, true);
    } catch {
      return; // the peer gave up its request, and QUIC has collected the stream
    }
    const writer = new MessageWriter(reply);
    sendQueue.add(writer.bytesLeft);
    this.#writing.set(streamId, writer);
    needsPump();
  }

  #forget(streamId: number): boolean {
    const answering = this.#answering.get(streamId);
    if (answering === undefined) return false;
    this.#modules.receiveBuffer.drop(answering.decoder);
    this.#modules.receiveBuffer.hold(-(answering.body?.length ?? 0));
    return this.#answering.delete(streamId);
  }

  #forgetReply(streamId: number): void {
    this.#modules.sendQueue.release(this.#writing.get(streamId)?.bytesLeft ?? 0);
    this.#writing.delete(streamId);
  }

  #drop(streamId: number, code: number): void {
    const answering = this.#answering.get(streamId);
    this.#forget(streamId);
    answering?.abort.abort(transportError('REQUEST_RESET', 'The request ended early'));
    resetStream(this.#modules.connection, streamId, code);
    this.#modules.needsPump();
  }
}
