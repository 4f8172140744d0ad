import { LogError } from './log-error.ts';
import type { LogStore } from './log-store.ts';
import {
  bytesOf,
  chainAfter,
  lastSeqOf,
  MAX_SEGMENT_ENTRIES,
  type Segment,
  type StreamName,
  segmentStatement,
} from './segment.ts';

const MAX_WAITING = 1_024;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const MAX_SEGMENT_BYTES = 256 * 1024;

interface Waiting {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

interface AppenderModules {
  readonly store: LogStore;
  readonly agent: { readonly publicKey: Uint8Array; sign(message: Uint8Array): Promise<Uint8Array> };
  /** Called for each segment of ours once it is in the store. */
  readonly onSegment: (topic: string, segment: Segment) => void;
}

/**
 * Turns what this node appends into signed segments: what comes while one signature is being made goes into the next,
 * up to 64 entries of a topic. A lone entry is signed at once.
 */
export class Appender {
  readonly #own: StreamName;
  readonly #modules: AppenderModules;
  #waiting: Waiting[] = [];
  /** Taken from those that wait, and not in the store yet. */
  #signing: readonly Waiting[] = [];
  #waitingBytes = 0;
  #isSigning = false;
  #stopped: LogError | undefined;

  constructor(own: StreamName, modules: AppenderModules) {
    this.#own = own;
    this.#modules = modules;
  }

  /**
   * Gives the entry's number in this node's stream once it is signed and in the store.
   * @throws LogError `LOG_FULL`, `LOG_QUEUE_FULL`, `LOG_STOPPED`, `LOG_NOT_SIGNED`
   */
  append(topic: string, payload: Uint8Array): Promise<number> {
    if (this.#stopped) return Promise.reject(this.#stopped);
    const ahead = [...this.#signing, ...this.#waiting].filter((waiting) => waiting.topic === topic);
    const payloads = [...ahead.map((waiting) => waiting.payload), payload];
    const wanted = { entries: payloads.length, bytes: bytesOf({ payloads }) };
    const full = this.#modules.store.whyFull(topic, this.#own, wanted);
    if (full !== null) return Promise.reject(logFull(topic, full));
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes + payload.length > MAX_WAITING_BYTES) {
      const why = 'too many entries wait to be signed; append more slowly';
      return Promise.reject(
        new LogError('LOG_QUEUE_FULL', why, { details: { waiting: this.#waiting.length } }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, resolve, reject });
      this.#waitingBytes += payload.length;
      if (!this.#isSigning) void this.#signAll();
    });
  }

  /** Refuses what waits and all that comes. */
  stop(): void {
    this.#stopped = new LogError('LOG_STOPPED', 'the node is stopping');
    for (const { reject } of this.#waiting.splice(0)) reject(this.#stopped);
    this.#waitingBytes = 0;
  }

  async #signAll(): Promise<void> {
    this.#isSigning = true;
    while (this.#waiting.length > 0) {
      this.#signing = this.#takeBatch();
      try {
        await this.#sign(this.#signing);
      } catch (error) {
        for (const { reject } of this.#signing) reject(error);
      }
      this.#signing = [];
    }
    this.#isSigning = false;
  }

  async #sign(batch: readonly Waiting[]): Promise<void> {
    const { store, agent, onSegment } = this.#modules;
    const topic = batch[0]?.topic ?? '';
    const { lastSeq, chain } = store.headOfStream(topic, this.#own);
    const unsigned = {
      ...this.#own,
      firstSeq: lastSeq + 1,
      payloads: batch.map(({ payload }) => payload),
      publicKey: lastSeq === 0 ? agent.publicKey : null,
    };
    const statement = segmentStatement(lastSeqOf(unsigned), chainAfter(chain, unsigned.payloads));
    const signature = await agent.sign(statement).catch((cause: unknown) => {
      throw new LogError('LOG_NOT_SIGNED', 'the agent key could not sign', { cause });
    });
    const segment = { ...unsigned, signature };
    if (store.add(topic, segment) !== 'next') throw logFull(topic, 'what peers wrote meanwhile'); // our own stream has one writer
    for (const [at, { resolve }] of batch.entries()) resolve(segment.firstSeq + at);
    onSegment(topic, segment);
  }

  /** The oldest entry and those of its topic that follow it, as far as one segment holds them. */
  #takeBatch(): readonly Waiting[] {
    const topic = this.#waiting[0]?.topic;
    const batch: Waiting[] = [];
    let bytes = 0;
    for (const waiting of this.#waiting) {
      if (waiting.topic !== topic) continue;
      bytes += waiting.payload.length;
      if (batch.length >= MAX_SEGMENT_ENTRIES || (batch.length > 0 && bytes > MAX_SEGMENT_BYTES)) break;
      batch.push(waiting);
      this.#waitingBytes -= waiting.payload.length;
    }
    const taken = new Set(batch);
    this.#waiting = this.#waiting.filter((waiting) => !taken.has(waiting));
    return batch;
  }
}

function logFull(topic: string, bound: string): LogError {
  return new LogError('LOG_FULL', `the log has no room for this entry: ${bound}`, {
    details: { topic, bound },
  });
}
