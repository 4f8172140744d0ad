import type { PairOutcome } from '../../proofs/evidence.ts';
import type { PlannedPair } from '../../proofs/plan-schema.ts';

/** How long a pair whose send failed may still be heard of at its destination: a lost receipt is not a lost message. */
const LATE_RECEIPT_GRACE_MS = 2_000;
/** A reply as late as this may come from a copy of the message, the first one being still on its way. */
const LATE_REPLY_MS = 1_000;

/** What the source runner said of its send. */
export interface SendReport {
  readonly error: string | null;
  readonly path: string | null;
  readonly attempts: number | null;
  readonly latencyMs: number | null;
}

/** What the destination runner said of a message it got. */
export interface ReceiptReport {
  readonly sha256: string;
  readonly senderVerified: boolean;
}

interface Entry {
  readonly pair: PlannedPair;
  readonly requestId: string;
  readonly sha256: string;
  askedMs: number | null;
  dispatched: boolean;
  dispatchError: string | null;
  send: SendReport | null;
  receipts: ReceiptReport[];
  failedAtMs: number | null;
}

/**
 * Joins what the two ends of every planned pair reported, by request id. The rows are the plan: a pair of which
 * nothing was heard stays in, as a failure. Pure: time comes in with each event.
 */
export class PairLedger {
  readonly #expectPath: string;
  readonly #byRequest = new Map<string, Entry>();

  constructor(expectPath: string) {
    this.#expectPath = expectPath;
  }

  expect(pair: PlannedPair, requestId: string, sha256: string): void {
    this.#byRequest.set(requestId, {
      pair,
      requestId,
      sha256,
      askedMs: null,
      dispatched: false,
      dispatchError: null,
      send: null,
      receipts: [],
      failedAtMs: null,
    });
  }

  /** The command is about to go out; without it the pair counts from the end of the round. */
  commandAsked(requestId: string, nowMs: number): void {
    const entry = this.#byRequest.get(requestId);
    if (entry) entry.askedMs = nowMs;
  }

  commandDispatched(requestId: string): void {
    const entry = this.#byRequest.get(requestId);
    if (entry) entry.dispatched = true;
  }

  commandFailed(requestId: string, error: string, nowMs: number): void {
    const entry = this.#byRequest.get(requestId);
    if (!entry) return;
    entry.dispatchError = error;
    entry.failedAtMs = nowMs;
  }

  /** The report counts only when it comes from the pair's own source. */
  sendReported(requestId: string, node: string, report: SendReport, nowMs: number): void {
    const entry = this.#byRequest.get(requestId);
    if (!entry || entry.pair[0] !== node || entry.send !== null) return;
    entry.dispatched = true;
    entry.send = report;
    if (report.error !== null) entry.failedAtMs = nowMs;
  }

  /** The receipt counts only when it comes from the pair's own destination. */
  receiptReported(requestId: string, node: string, receipt: ReceiptReport): void {
    const entry = this.#byRequest.get(requestId);
    if (entry?.pair[1] === node) entry.receipts.push(receipt);
  }

  /** The planned source of a request, for checking who its receipt says it is from. */
  sourceOf(requestId: string): string | undefined {
    return this.#byRequest.get(requestId)?.pair[0];
  }

  /** Whether nothing more can come: every row has both ends, or failed long enough ago. */
  isComplete(nowMs: number): boolean {
    return [...this.#byRequest.values()].every(
      (entry) =>
        (entry.send !== null && entry.receipts.length > 0) ||
        (entry.failedAtMs !== null && nowMs - entry.failedAtMs >= LATE_RECEIPT_GRACE_MS),
    );
  }

  /** Whether a message was tried more than once, failed, or was answered late: a second arrival may be under way. */
  mayBeDoubled(): boolean {
    return [...this.#byRequest.values()].some(
      ({ send }) =>
        send !== null &&
        (send.error !== null || (send.attempts ?? 0) > 1 || (send.latencyMs ?? 0) >= LATE_REPLY_MS),
    );
  }

  /** Rows with a good receipt at both ends, for progress. */
  delivered(): readonly PlannedPair[] {
    return [...this.#byRequest.values()]
      .filter((entry) => this.#failureOf(entry) === null)
      .map(({ pair }) => pair);
  }

  /** One row per pair, as known at `nowMs`, when the harness stops listening. */
  outcomes(window: number, scenario: string, nowMs: number): PairOutcome[] {
    return [...this.#byRequest.values()].map((entry) => {
      const { pair, send, receipts, requestId, sha256, dispatched } = entry;
      const first = receipts[0];
      return {
        type: 'pair_outcome',
        window,
        scenario,
        from: pair[0],
        to: pair[1],
        request_id: requestId,
        sent: dispatched,
        accepted: send !== null && send.error === null,
        acked: send !== null && send.error === null && (send.path?.endsWith('_acked') ?? false),
        received: first?.sha256 === sha256,
        duplicates: Math.max(0, receipts.length - 1),
        attempts: send?.attempts ?? null,
        path: send?.path ?? null,
        latency_ms: send?.latencyMs ?? null,
        payload_sha256: sha256,
        received_sha256: first?.sha256 ?? null,
        sender_verified: first?.senderVerified ?? null,
        failure: this.#failureOf(entry),
        span_mono_ms: { from: entry.askedMs ?? nowMs, until: nowMs },
      };
    });
  }

  #failureOf({ pair, dispatched, dispatchError, send, receipts, sha256 }: Entry): PairOutcome['failure'] {
    const [from, to] = pair;
    const first = receipts[0];
    if (send === null && !dispatched) {
      const why = dispatchError ?? 'the command was never taken';
      return { class: 'command_dispatch_fail', detail: `${from} → ${to}: runner of ${from}: ${why}` };
    }
    if (send === null) {
      return {
        class: 'send_no_result',
        detail: `${from} → ${to}: runner of ${from} took the command, no result`,
      };
    }
    if (send.error !== null) {
      const heard = first ? `, yet ${to} received it` : '';
      return { class: 'send_err', detail: `${from} → ${to}: ${send.error}${heard}` };
    }
    if (!first) return { class: 'recv_miss', detail: `${from} → ${to}: runner of ${to} did not report it` };
    if (send.path !== this.#expectPath) {
      return {
        class: 'wrong_path',
        detail: `${from} → ${to}: went by ${send.path}, planned ${this.#expectPath}`,
      };
    }
    if (first.sha256 !== sha256) {
      return { class: 'corrupted', detail: `${from} → ${to}: sent ${sha256}, received ${first.sha256}` };
    }
    if (!first.senderVerified) {
      return {
        class: 'unverified_sender',
        detail: `${from} → ${to}: ${to} could not verify that ${from} sent it`,
      };
    }
    if (receipts.length > 1) {
      return { class: 'duplicated', detail: `${from} → ${to}: delivered ${receipts.length} times` };
    }
    return null;
  }
}
