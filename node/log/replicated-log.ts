import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import type { Random } from '../../kit/random.ts';
import type { Signing } from '../../kit/signing.ts';
import { checkTopic, isLocal } from '../pubsub/topic-name.ts';
import type { AgentId, PeerLink, Transport } from '../transport/transport.ts';
import { Appender } from './appender.ts';
import { LogError } from './log-error.ts';
import { DEFAULT_LOG_LIMITS, type LogLimits, LogStore, type TopicHead } from './log-store.ts';
import { LogSync } from './log-sync.ts';
import { MAX_ENTRY_BYTES } from './segment.ts';
import type { StreamHead } from './stream.ts';
import { isLogFrame } from './sync-frame.ts';

interface ReplicatedLogModules {
  readonly transport: Pick<Transport, 'links' | 'send' | 'onLink' | 'onFrame'>;
  readonly agent: {
    readonly id: AgentId;
    readonly publicKey: Uint8Array;
    sign(message: Uint8Array): Promise<Uint8Array>;
  };
  readonly signing: Pick<Signing, 'verify'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, 'warn' | 'debug'>;
}

export interface Appended extends TopicHead {
  /** The entry's number among those that this process has appended to the topic, from 1. */
  readonly seq: number;
}

/**
 * Append-only logs per topic, the same on every node once they have talked: a union of what every agent wrote, each
 * entry covered by its writer's signature. In memory: what no running node has is gone. Takes the transport's `bulk`
 * class; control frames of kinds 0x50–0x5f are for `handleControlFrame`.
 */
export class ReplicatedLog {
  readonly #store: LogStore;
  readonly #appender: Appender;
  readonly #sync: LogSync;
  readonly #modules: ReplicatedLogModules;

  constructor(limits: Partial<LogLimits>, modules: ReplicatedLogModules) {
    this.#modules = modules;
    this.#store = new LogStore({ ...DEFAULT_LOG_LIMITS, ...limits });
    this.#sync = new LogSync({ ...modules, store: this.#store });
    const incarnation = randomBytes(8).toString('hex'); // not from a seed, which a second start might share
    this.#appender = new Appender(
      { origin: modules.agent.id, incarnation },
      {
        store: this.#store,
        agent: modules.agent,
        onSegment: (topic, segment) => this.#sync.push(topic, segment),
      },
    );
  }

  start(): void {
    this.#modules.transport.onFrame('bulk', async (link, frame) => {
      if (isLogFrame(frame)) await this.#sync.receive(link, frame);
      else this.#modules.log.debug({ peerId: link.peerId, kind: frame[0] }, 'a bulk frame that nobody knows');
    });
    this.#sync.start();
  }

  stop(): void {
    this.#appender.stop();
    this.#sync.stop();
  }

  /** Takes a control frame if it is the log's; `false` leaves it to others. */
  handleControlFrame(link: PeerLink, frame: Uint8Array): boolean {
    if (!isLogFrame(frame)) return false;
    void this.#sync.receive(link, frame);
    return true;
  }

  /**
   * Appends an entry and gives the topic's head with it. It is on its way to every linked peer by then.
   * @throws LogError `LOG_FULL`, `LOG_QUEUE_FULL`, `LOG_STOPPED`, `LOG_NOT_SIGNED`, `PAYLOAD_TOO_LARGE`,
   *   `TOPIC_INVALID`
   */
  async append(topic: string, payload: Uint8Array): Promise<Appended> {
    checkTopic(topic);
    if (isLocal(topic)) {
      throw new LogError(
        'TOPIC_INVALID',
        `${topic}: a log is replicated; topics that begin with "local:" are not`,
      );
    }
    if (payload.length > MAX_ENTRY_BYTES) {
      throw new LogError(
        'PAYLOAD_TOO_LARGE',
        `the entry has ${payload.length} bytes; at most ${MAX_ENTRY_BYTES} fit`,
        { details: { payload_bytes: payload.length, max_payload_bytes: MAX_ENTRY_BYTES } },
      );
    }
    const seq = await this.#appender.append(topic, payload.slice()); // what is kept must not hold a request's buffer
    return { seq, ...this.#store.headOf(topic) };
  }

  /** Height, head and writers of a topic; a topic that nobody wrote to has height 0. */
  headOf(topic: string): TopicHead & { readonly origins: readonly StreamHead[] } {
    return { ...this.#store.headOf(topic), origins: this.#store.vectorOf(topic) };
  }

  /** All heads, what they take up, and what came of what peers sent. */
  overview() {
    const heads = this.#store.topics().map((topic) => this.#store.headOf(topic));
    return { heads, bytes: this.#store.bytes, ...this.#sync.counts() };
  }
}
