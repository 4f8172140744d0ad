import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { BoundedQueue } from '../kit/bounded.ts';
import type { Clock } from '../kit/clock.ts';
import { codeOf, messageOf } from '../kit/errors.ts';
import { encodeResultDm } from './dm-frames.ts';
import type { NodeApi } from './node-api.ts';
import { httpStatusOf } from './node-failure.ts';
import type { Result } from './protocol.ts';
import { RESULT_STORE } from './result-store.ts';

const ATTEMPTS_MAX = 3;
const CONCURRENCY = 8;
const CALL_BUDGET_MS = 12_000; // DESIGN "Budgets nest": runner 12 s > node acknowledgement 8 s
const NODE_ACK_MS = 8_000;

interface Posting {
  readonly anchorAid: string;
  readonly result: Result;
  readonly queuedAtMs: number;
}

interface CourierModules {
  readonly api: () => NodeApi;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDelivered: (seq: number) => void;
}

/**
 * Carries results to an anchor by direct message: up to three attempts, 1 s × attempt apart, none after a 404 (the
 * node knows no such agent). What waits is bounded in count and age; what could not be delivered is counted.
 */
export class ResultCourier {
  readonly #modules: CourierModules;
  readonly #waiting = new BoundedQueue<Posting>({ max: RESULT_STORE.max, full: 'drop-oldest' });
  readonly #limit = pLimit(CONCURRENCY);
  readonly #stopping = new AbortController();
  #delivered = 0;
  #undelivered = 0;

  constructor(modules: CourierModules) {
    this.#modules = modules;
  }

  stats(): { readonly waiting: number; readonly delivered: number; readonly undelivered: number } {
    return {
      waiting: this.#waiting.length,
      delivered: this.#delivered,
      undelivered: this.#undelivered + this.#waiting.dropped,
    };
  }

  post(anchorAid: string, result: Result): void {
    this.#waiting.push({ anchorAid, result, queuedAtMs: this.#modules.clock.nowMs() });
    // Each run takes whatever is the oldest by then, so that a dropped posting frees its turn for another.
    void this.#limit(() => this.#deliverNext());
  }

  stop(): void {
    this.#stopping.abort();
    this.#waiting.clear();
  }

  async #deliverNext(): Promise<void> {
    const posting = this.#waiting.shift();
    if (!posting || this.#stopping.signal.aborted) return;
    const { clock, log } = this.#modules;
    const { kind, seq } = posting.result;
    for (let attempt = 1; clock.nowMs() - posting.queuedAtMs <= RESULT_STORE.maxAgeMs; attempt += 1) {
      try {
        await this.#send(posting);
        this.#delivered += 1;
        this.#modules.onDelivered(seq);
        return;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        log.warn({ kind, seq, attempt, code: codeOf(error), why: messageOf(error) }, 'result not delivered');
        if (attempt === ATTEMPTS_MAX || httpStatusOf(error) === 404) break;
      }
      try {
        await clock.sleep(1_000 * attempt, this.#stopping.signal);
      } catch {
        return; // stopping
      }
    }
    this.#undelivered += 1;
  }

  async #send({ anchorAid, result }: Posting): Promise<void> {
    await this.#modules.api().directSend(
      {
        agent_id: anchorAid,
        payload: encodeResultDm(JSON.stringify(result)),
        prefer_raw_quic_if_connected: true,
        raw_quic_receive_ack_ms: NODE_ACK_MS,
        require_durable_app_ack: false,
      },
      { signal: this.#stopping.signal, timeoutMs: CALL_BUDGET_MS },
    );
  }
}
