import { DeadlineError } from '../../kit/deadline.ts';
import { SendTimeout } from './send-timeout.ts';

/** Sends that begin within this time share a deadline, one timer and one AbortSignal. */
const WAVE_MS = 100;
const STALL_TOLD_EVERY_MS = 1_000;

/** Sends to one peer that began together. */
export interface Wave {
  readonly startedMs: number;
  readonly controller: AbortController;
  /** Topics of the messages in it; control frames have none. */
  readonly topics: Set<string>;
  pending: number;
}

/** The sends to one peer that QUIC has not taken yet, in waves, and how long they may take. */
export class SendWaves {
  readonly #waves: Wave[] = [];
  readonly #timeout = new SendTimeout();
  #takenMs = Number.NEGATIVE_INFINITY;
  #stallToldMs = Number.NEGATIVE_INFINITY;

  get isWaiting(): boolean {
    this.#dropSettled();
    return this.#waves.length > 0;
  }

  /** The wave that a send beginning now belongs to. */
  join(nowMs: number): Wave {
    const last = this.#waves.at(-1);
    if (last && nowMs - last.startedMs < WAVE_MS && !last.controller.signal.aborted) return last;
    const wave = {
      startedMs: nowMs,
      controller: new AbortController(),
      topics: new Set<string>(),
      pending: 0,
    };
    if (this.#waves.length > 0) this.#dropSettled();
    this.#waves.push(wave);
    return wave;
  }

  /** QUIC took a message after `tookMs`. */
  taken(tookMs: number, nowMs: number): void {
    this.#timeout.sent(tookMs);
    this.#takenMs = nowMs;
  }

  /** Gives up the waves whose time is over. */
  expire(nowMs: number): Wave[] {
    if (!this.isWaiting) return [];
    const limitMs = this.#timeout.limitMs();
    const expired = this.#waves.filter(
      ({ startedMs, controller }) => nowMs - startedMs > limitMs && !controller.signal.aborted,
    );
    for (const { controller } of expired) controller.abort(new DeadlineError('a gossip send', limitMs));
    return expired;
  }

  /**
   * Whether the peer stands still: nothing at all was taken since the wave began, so the queue is not merely long.
   * One stall is told once a second, however many waves it costs.
   */
  isNewStall({ startedMs }: Wave, nowMs: number): boolean {
    if (this.#takenMs >= startedMs || nowMs - this.#stallToldMs < STALL_TOLD_EVERY_MS) return false;
    this.#stallToldMs = nowMs;
    return true;
  }

  close(): void {
    for (const { controller } of this.#waves) controller.abort(new Error('gossip is stopping'));
  }

  #dropSettled(): void {
    while (this.#waves[0]?.pending === 0) this.#waves.shift();
  }
}
