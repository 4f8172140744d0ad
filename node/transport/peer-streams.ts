import type { Connection } from '@matrixai/quic/native/types.js';
import { messageOf } from '../../kit/errors.ts';
import { AnsweredRequests } from './answered-requests.ts';
import { AskedRequests } from './asked-requests.ts';
import { FRAME_BOUND_BYTES, FrameError } from './frames.ts';
import { InboundStream } from './inbound-stream.ts';
import { type OutboundFrame, OutboundStream } from './outbound-stream.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { SendQueue } from './send-queue.ts';
import { type RequestStep, TRAFFIC_CLASSES, type TrafficClass } from './transport.ts';
import { type TransportError, transportError } from './transport-error.ts';

const URGENCY: Readonly<Record<TrafficClass, number>> = { control: 0, direct: 1, gossip: 3, bulk: 6 };
const UNIDIRECTIONAL = 2;
const FROM_SERVER = 1;

export interface PeerStreamsModules {
  readonly connection: Connection;
  readonly initiator: 'us' | 'them';
  readonly sendQueueBytes: number;
  readonly receiveBytes: number;
  /** How long a half-sent request may stand still. */
  readonly requestStallMs: number;
  readonly deliver: (trafficClass: TrafficClass, frame: Uint8Array) => void | Promise<void>;
  readonly answer: (body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
  readonly needsPump: () => void;
  readonly handlerFailed: (what: string, error: unknown) => void;
  readonly malformed: () => void;
  readonly requestExpired: () => void;
  readonly highWater: () => void;
}

/** A stream broke in a way that ends the connection: `ReaderExit` for what came, `StreamLimit` for what could not go. */
export interface StreamsFailure {
  readonly name: 'ReaderExit' | 'StreamLimit';
  readonly detail: string;
}

/** All streams of one link: four long-lived ones each way and the requests. */
export class PeerStreams {
  readonly #modules: PeerStreamsModules;
  readonly #outbound: readonly OutboundStream[];
  readonly #inbound = new Map<number, InboundStream>();
  readonly #inboundClasses = new Set<TrafficClass>();
  readonly #sendQueue: SendQueue;
  readonly #receiveBuffer: ReceiveBuffer;
  readonly #asked: AskedRequests;
  readonly #answered: AnsweredRequests;
  readonly #controlStreamId: number;

  constructor(modules: PeerStreamsModules) {
    this.#modules = modules;
    this.#sendQueue = new SendQueue(modules.sendQueueBytes, modules.highWater);
    this.#receiveBuffer = new ReceiveBuffer(modules.receiveBytes);
    const ours = modules.initiator === 'us' ? 0 : FROM_SERVER;
    this.#controlStreamId = UNIDIRECTIONAL + ours;
    this.#outbound = TRAFFIC_CLASSES.map(
      (trafficClass, index) =>
        new OutboundStream(
          {
            streamId: index * 4 + UNIDIRECTIONAL + ours,
            openingByte: index,
            urgency: URGENCY[trafficClass],
            // The control stream is always there, so that QUIC can be asked about its room at any time.
            opens: trafficClass === 'control' ? 'at-once' : 'with-first-frame',
          },
          modules.connection,
          (bytes) => this.#sendQueue.release(bytes),
        ),
    );
    const ends = {
      connection: modules.connection,
      sendQueue: this.#sendQueue,
      receiveBuffer: this.#receiveBuffer,
      needsPump: modules.needsPump,
      malformed: modules.malformed,
    };
    // Stream 0 carried the hello.
    this.#asked = new AskedRequests({ ...ends, firstStreamId: modules.initiator === 'us' ? 4 : FROM_SERVER });
    this.#answered = new AnsweredRequests({
      ...ends,
      firstStreamId: modules.initiator === 'us' ? FROM_SERVER : 4,
      stallMs: modules.requestStallMs,
      answer: modules.answer,
      answerFailed: (error) => modules.handlerFailed('request', error),
      expired: modules.requestExpired,
    });
  }

  get queuedBytes(): number {
    return this.#sendQueue.bytes;
  }

  get bufferedBytes(): number {
    return this.#receiveBuffer.bytes;
  }

  /** Resolves when QUIC has the whole frame. See `Transport.send`. */
  send(trafficClass: TrafficClass, body: Uint8Array, signal: AbortSignal): Promise<void> {
    const bound = FRAME_BOUND_BYTES[trafficClass];
    if (body.length > bound) {
      throw transportError(
        'FRAME_TOO_LARGE',
        `A ${trafficClass} frame of ${body.length} bytes exceeds ${bound}`,
        {
          traffic_class: trafficClass,
          frame_bytes: body.length,
          max_bytes: bound,
        },
      );
    }
    this.#sendQueue.reserve(trafficClass, body.length);
    return new Promise<void>((resolve, reject) => {
      this.#enqueue(trafficClass, {
        body,
        takenBytes: 0,
        state: 'waiting',
        signal,
        onAbort: undefined,
        resolve,
        reject,
      });
    });
  }

  /** See `Transport.request`. */
  ask(body: Uint8Array, signal: AbortSignal, onStep?: (step: RequestStep) => void): Promise<Uint8Array> {
    const bound = FRAME_BOUND_BYTES.request;
    if (body.length > bound) {
      throw transportError('FRAME_TOO_LARGE', `A request of ${body.length} bytes exceeds ${bound}`);
    }
    const reply = this.#asked.ask(body, signal, onStep);
    this.#modules.needsPump();
    return reply;
  }

  flush(): number | StreamsFailure {
    try {
      // Control first and requests next, so that they take what room there is before gossip and bulk do.
      const [control, ...others] = this.#outbound;
      let written = control?.flush() ?? 0;
      written += this.#answered.flush() + this.#asked.flush();
      for (const stream of others) written += stream.flush();
      return written;
    } catch (error) {
      const detail = messageOf(error);
      return { name: detail.startsWith('StreamLimit') ? 'StreamLimit' : 'ReaderExit', detail };
    }
  }

  /** Drops requests of the peer that it no longer waits for, or does not finish. */
  tick(nowMs: number): void {
    this.#answered.tick(nowMs);
  }

  sendCapacity(): number {
    return this.#modules.connection.streamCapacity(this.#controlStreamId);
  }

  readExpected(): StreamsFailure | undefined {
    const { connection } = this.#modules;
    for (const streamId of this.#inbound.keys()) {
      if (!connection.streamReadable(streamId)) continue;
      const failure = this.#readFrames(streamId);
      if (failure !== undefined) return failure;
    }
    this.#asked.readExpected();
    this.#answered.readExpected();
    return undefined;
  }

  readable(streamId: number): StreamsFailure | undefined {
    const isOurs = (streamId & FROM_SERVER) === (this.#modules.initiator === 'us' ? 0 : FROM_SERVER);
    if ((streamId & UNIDIRECTIONAL) !== 0) return isOurs ? undefined : this.#readFrames(streamId);
    if (isOurs) this.#asked.readReply(streamId);
    else this.#answered.readRequest(streamId);
    return undefined;
  }

  /** Moves every frame that QUIC has not seen to the streams of the link that replaced this one. */
  moveWaitingTo(successor: PeerStreams): void {
    for (const [index, trafficClass] of TRAFFIC_CLASSES.entries()) {
      for (const frame of this.#outbound[index]?.takeUntouched() ?? []) {
        try {
          successor.#sendQueue.reserve(trafficClass, frame.body.length);
          successor.#enqueue(trafficClass, frame);
        } catch (error) {
          frame.reject(error);
        }
      }
    }
  }

  close(errorFor: () => TransportError): void {
    for (const stream of this.#outbound) stream.rejectAll(errorFor);
    for (const stream of this.#inbound.values()) stream.close();
    this.#inbound.clear();
    this.#asked.close(errorFor);
    this.#answered.close(errorFor);
  }

  #readFrames(streamId: number): StreamsFailure | undefined {
    let stream = this.#inbound.get(streamId);
    if (stream === undefined) {
      stream = new InboundStream({
        buffer: this.#receiveBuffer,
        claim: (trafficClass) => this.#claim(trafficClass),
        deliver: this.#modules.deliver,
        resumed: this.#modules.needsPump,
        handlerFailed: this.#modules.handlerFailed,
      });
      this.#inbound.set(streamId, stream);
    }
    try {
      if (stream.read(this.#modules.connection, streamId) === 'open') return undefined;
      return { name: 'ReaderExit', detail: `the peer ended stream ${streamId}` };
    } catch (error) {
      if (error instanceof FrameError) this.#modules.malformed();
      return { name: 'ReaderExit', detail: messageOf(error) };
    }
  }

  #claim(trafficClass: TrafficClass): boolean {
    if (this.#inboundClasses.has(trafficClass)) return false;
    this.#inboundClasses.add(trafficClass);
    return true;
  }

  #enqueue(trafficClass: TrafficClass, frame: OutboundFrame): void {
    this.#outbound[TRAFFIC_CLASSES.indexOf(trafficClass)]?.push(frame);
    this.#modules.needsPump();
  }
}
