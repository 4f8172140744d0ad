import type { AckOutcome } from '../api/schema/ack.ts';
import type { DecodedResponse, RejectReason } from './ack-protocol.ts';

/** A dial is three round trips and 4.5 s were measured at 1.5 s each; the message itself needs one more. */
const LINK_WAIT_MS = 6_000;
const LINK_WAIT_SHARE = 0.6;
const RELINK_WAIT_MS = 250;
const RETRY_MS = 6_000;
/** More than the one of the nearest system: a link may be replaced faster than a far peer can answer. */
const REISSUES_PER_TRY = 8;
const ACK_MIN_MS = 100;
const ACK_MAX_MS = 30_000;

export type BudgetStage = 'link_wait' | 'first_try' | 'retry';

/** What came of the last thing the driver was asked to do. */
export type SendEvent =
  /** There is a live link, not the one that was just lost. */
  | { readonly type: 'linked'; readonly generation: number }
  | { readonly type: 'no_link' }
  | { readonly type: 'replied'; readonly response: DecodedResponse }
  /** The link that carried the request is no longer the live one. */
  | { readonly type: 'link_lost' }
  /** Nothing at all came over the link for so long that it was given up. */
  | { readonly type: 'link_silent' }
  /** The stream failed although its link lives. */
  | { readonly type: 'stream_failed'; readonly why: string }
  /** Our side has too much under way to this peer already; nothing was transmitted. */
  | { readonly type: 'congested'; readonly why: string }
  | { readonly type: 'timed_out' };

export type SendResult =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rejected'; readonly reason: RejectReason }
  | { readonly kind: 'not_understood'; readonly why: string }
  | { readonly kind: 'congested'; readonly why: string }
  | { readonly kind: 'no_link' }
  | { readonly kind: 'disconnected'; readonly why: string }
  | { readonly kind: 'timed_out'; readonly stage: BudgetStage };

/** What to do next, and by when. `lostGeneration` names the link that is not wanted again; `mayDial`, whether to help one come. */
export type SendAction =
  | {
      readonly type: 'find_link';
      readonly untilMs: number;
      readonly lostGeneration: number | null;
      readonly mayDial: boolean;
    }
  | { readonly type: 'transmit'; readonly untilMs: number }
  | {
      readonly type: 'finish';
      readonly result: SendResult;
      /** The connection on which both tries stayed unanswered, if it was one and the same. */
      readonly deafGeneration: number | null;
    };

export interface SendStep {
  readonly outcomes: readonly AckOutcome[];
  readonly action: SendAction;
}

/**
 * The life of one acknowledged send, without I/O: find the live link, transmit, and on silence transmit once more with
 * the same request id. The first try leaves the smaller of 6 s and half of the acknowledgement window to the retry.
 * A link replaced under a try costs no try: the request is issued again on the new link when that appears
 * within 250 ms, at most 8 times per try. A retry whose link ends or turns out to be dead is issued again too, on a link
 * that may be dialled for it: no other try comes after it. A reply of any kind other than "closing" ends the send. No
 * action outlasts the budget.
 */
export class SendCore {
  readonly #deadlineAtMs: number;
  readonly #ackMs: number;
  #tryNumber: 1 | 2 = 1;
  #ackEndMs: number | null = null;
  #firstTryEndMs = 0;
  #reissues = 0;
  #reissuing = false;
  #generation = 0;
  #deafGeneration: number | null = null;
  #lastFailure: SendResult = { kind: 'no_link' };
  /** Transmissions so far. */
  attempts = 0;

  /** `budgetMs` is the whole call's, `ackMs` the wait for the acknowledgement inside it (held to 100 ms – 30 s). */
  constructor({ budgetMs, ackMs, nowMs }: { budgetMs: number; ackMs: number; nowMs: number }) {
    this.#deadlineAtMs = nowMs + Math.max(0, budgetMs);
    this.#ackMs = Math.min(ACK_MAX_MS, Math.max(ACK_MIN_MS, ackMs));
  }

  start(nowMs: number): SendStep {
    return { outcomes: [], action: this.#findLink(nowMs) };
  }

  on(event: SendEvent, nowMs: number): SendStep {
    switch (event.type) {
      case 'linked':
        return this.#transmit(event.generation, nowMs);
      case 'no_link':
        return this.#linkMissing(nowMs);
      case 'replied':
        return this.#replied(event.response, nowMs);
      case 'link_lost':
        return this.#linkLost(nowMs);
      case 'link_silent':
        return this.#linkSilent(nowMs);
      case 'stream_failed':
        return this.#tryFailed('sender_response_incomplete', { kind: 'disconnected', why: event.why }, nowMs);
      case 'congested':
        return this.#ended([], { kind: 'congested', why: event.why });
      case 'timed_out':
        return this.#timedOut(nowMs);
    }
  }

  #stage(): BudgetStage {
    return this.#tryNumber === 1 ? 'first_try' : 'retry';
  }

  #endMs(): number {
    return this.#ackEndMs ?? this.#deadlineAtMs;
  }

  #findLink(nowMs: number, lostGeneration: number | null = null): SendAction {
    const share = Math.min(LINK_WAIT_MS, (this.#endMs() - nowMs) * LINK_WAIT_SHARE);
    return { type: 'find_link', untilMs: nowMs + Math.max(0, share), lostGeneration, mayDial: true };
  }

  #transmit(generation: number, nowMs: number): SendStep {
    if (this.#ackEndMs === null) {
      this.#ackEndMs = Math.min(nowMs + this.#ackMs, this.#deadlineAtMs);
      const windowMs = this.#ackEndMs - nowMs;
      this.#firstTryEndMs = this.#ackEndMs - Math.min(RETRY_MS, windowMs / 2);
    }
    this.#generation = generation;
    this.attempts += 1;
    const outcomes: AckOutcome[] =
      this.#tryNumber === 2 && !this.#reissuing ? ['sender_retry_attempted'] : [];
    this.#reissuing = false;
    return { outcomes, action: { type: 'transmit', untilMs: this.#tryEndMs(this.#ackEndMs) } };
  }

  #tryEndMs(ackEndMs: number): number {
    return this.#tryNumber === 1 ? this.#firstTryEndMs : ackEndMs;
  }

  #linkLost(nowMs: number): SendStep {
    if (this.#reissues >= REISSUES_PER_TRY) return this.#connectionGone(nowMs);
    this.#reissues += 1;
    this.#reissuing = true;
    const lostGeneration = this.#generation;
    if (this.#tryNumber === 2) return { outcomes: [], action: this.#findLink(nowMs, lostGeneration) };
    const untilMs = Math.min(nowMs + RELINK_WAIT_MS, this.#tryEndMs(this.#endMs()));
    return { outcomes: [], action: { type: 'find_link', untilMs, lostGeneration, mayDial: false } };
  }

  /** The first try on a dead link is over. */
  #linkSilent(nowMs: number): SendStep {
    if (this.#tryNumber === 1 || this.#reissues >= REISSUES_PER_TRY) return this.#timedOut(nowMs);
    return this.#linkLost(nowMs);
  }

  #timedOut(nowMs: number): SendStep {
    return this.#tryFailed('sender_ack_timeout', { kind: 'timed_out', stage: this.#stage() }, nowMs);
  }

  #linkMissing(nowMs: number): SendStep {
    if (this.#reissuing) return this.#connectionGone(nowMs);
    return { outcomes: [], action: this.#finish(this.#lastFailure) }; // a retry without a link was none
  }

  #connectionGone(nowMs: number): SendStep {
    const result: SendResult = {
      kind: 'disconnected',
      why: 'the connection ended before the acknowledgement',
    };
    return this.#tryFailed('sender_connection_closed', result, nowMs);
  }

  #replied(response: DecodedResponse, nowMs: number): SendStep {
    switch (response.kind) {
      case 'accepted': {
        const outcomes: AckOutcome[] = ['sender_accepted'];
        if (this.#tryNumber === 2) outcomes.push('sender_retry_accepted');
        return { outcomes, action: this.#finish({ kind: 'accepted' }) };
      }
      case 'rejected':
        return this.#ended(['sender_rejected'], { kind: 'rejected', reason: response.reason });
      case 'invalid':
        return this.#ended(['sender_invalid_response'], { kind: 'not_understood', why: response.why });
      case 'closed':
        return this.#tryFailed(
          'sender_connection_closed',
          { kind: 'disconnected', why: 'the peer is closing' },
          nowMs,
        );
      case 'incomplete':
        return this.#tryFailed(
          'sender_response_incomplete',
          { kind: 'disconnected', why: 'the reply was cut' },
          nowMs,
        );
    }
  }

  #ended(outcomes: readonly AckOutcome[], result: SendResult): SendStep {
    const retryFailed: readonly AckOutcome[] = this.#tryNumber === 2 ? ['sender_retry_failed'] : [];
    return { outcomes: [...outcomes, ...retryFailed], action: this.#finish(result) };
  }

  #tryFailed(outcome: AckOutcome, result: SendResult, nowMs: number): SendStep {
    const wasDeaf = outcome === 'sender_ack_timeout'; // a reset or a cut reply shows that somebody is there
    if (this.#tryNumber === 2) {
      const deaf = wasDeaf && this.#deafGeneration === this.#generation ? this.#generation : null;
      return { outcomes: [outcome, 'sender_retry_failed'], action: this.#finish(result, deaf) };
    }
    this.#deafGeneration = wasDeaf ? this.#generation : null;
    this.#tryNumber = 2;
    this.#reissues = 0;
    this.#reissuing = false;
    this.#lastFailure = result;
    return { outcomes: [outcome], action: this.#findLink(nowMs) };
  }

  #finish(result: SendResult, deafGeneration: number | null = null): SendAction {
    return { type: 'finish', result, deafGeneration };
  }
}
