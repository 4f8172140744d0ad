import { type Clock, realClock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { COMMAND_LIFETIME_MAX_MS, type Command } from '../../runner/protocol.ts';
import {
  type ControlChannel,
  type ControlTally,
  newCommandId,
  type RunnerResult,
  type WaitOptions,
} from './control-channel.ts';
import { ControlError } from './control-error.ts';
import type { ControlInbox } from './control-inbox.ts';
import type { OperatorKey } from './operator-key.ts';

const LIFE_BEYOND_BUDGET_MS = 30_000; // as much as the clocks of operator and host may differ
const RETRY_AFTER_MS = { first: 100, last: 1_000 } as const;

/** What one try to hand over a command came to. */
export type Handover =
  | { readonly taken: true }
  | { readonly retryable: boolean; readonly error: ControlError };

/** One way of handing a signed command to a runner and of hearing from runners. */
export interface ControlCarrier {
  /** Agent that results shall go to by direct message; null when they are fetched. */
  readonly anchorAid: string | null;
  handOver(
    node: string,
    envelope: string,
    options: { budgetMs: number; signal: AbortSignal },
  ): Promise<Handover>;
  close(): Promise<void>;
}

/** The channel over any carrier: signs, hands over again while that may help, and waits for results. */
export class DispatchingChannel implements ControlChannel {
  readonly #inbox: ControlInbox;
  readonly #carrier: ControlCarrier;
  readonly #operator: OperatorKey;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  constructor(modules: {
    readonly inbox: ControlInbox;
    readonly carrier: ControlCarrier;
    readonly operator: OperatorKey;
    readonly clock?: Clock;
  }) {
    this.#inbox = modules.inbox;
    this.#carrier = modules.carrier;
    this.#operator = modules.operator;
    this.#clock = modules.clock ?? realClock;
  }

  async send(
    node: string,
    action: string,
    params: Command['params'],
    { commandId = newCommandId(), budgetMs, signal }: WaitOptions & { readonly commandId?: string },
  ): Promise<string> {
    this.#inbox.throwIfClosed(node);
    this.#inbox.target(node);
    const either = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    const envelope = await this.#seal(node, action, params, commandId, budgetMs);
    const deadline = Deadline.in(budgetMs, this.#clock);
    let retryAfterMs: number = RETRY_AFTER_MS.first;
    for (;;) {
      either.throwIfAborted();
      const handover = await this.#carrier.handOver(node, envelope, {
        budgetMs: deadline.remainingMs(),
        signal: either,
      });
      if ('taken' in handover) return commandId;
      either.throwIfAborted();
      if (!handover.retryable || deadline.remainingMs() <= retryAfterMs) throw handover.error;
      await this.#clock.sleep(retryAfterMs, either);
      retryAfterMs = Math.min(retryAfterMs * 2, RETRY_AFTER_MS.last);
    }
  }

  async call(
    node: string,
    action: string,
    params: Command['params'],
    { budgetMs, signal, onProgress }: WaitOptions & { readonly onProgress?: (result: RunnerResult) => void },
  ): Promise<RunnerResult> {
    const commandId = newCommandId();
    const unsent = new AbortController();
    const either = signal ? AbortSignal.any([signal, unsent.signal]) : unsent.signal;
    const wait = { budgetMs, signal: either, ...(onProgress ? { onProgress } : {}) };
    const result = this.#inbox.finalResult(node, commandId, wait);
    result.catch(() => {}); // awaited below; a failed send ends the wait first
    try {
      await this.send(node, action, params, { commandId, budgetMs, ...(signal ? { signal } : {}) });
    } catch (error) {
      unsent.abort(error);
      throw error;
    }
    return await result;
  }

  onResult(listener: (result: RunnerResult) => void): () => void {
    return this.#inbox.onResult(listener);
  }

  tally(): ReadonlyMap<string, Readonly<ControlTally>> {
    return this.#inbox.tally();
  }

  async close(): Promise<void> {
    this.#inbox.close();
    this.#closing.abort(new ControlError('CONTROL_CLOSED', 'harness', 'the control channel was closed'));
    await this.#carrier.close();
  }

  async #seal(
    node: string,
    action: string,
    params: Command['params'],
    commandId: string,
    budgetMs: number,
  ): Promise<string> {
    const now = Math.round(this.#clock.wallMs());
    const lifeMs = Math.min(Math.ceil(budgetMs) + LIFE_BEYOND_BUDGET_MS, COMMAND_LIFETIME_MAX_MS);
    const command: Command = {
      command_id: commandId,
      target_node: node,
      action,
      anchor_aid: this.#carrier.anchorAid,
      issued_at_unix_ms: now,
      expires_at_unix_ms: now + lifeMs,
      params,
    };
    return JSON.stringify(await this.#operator.seal(command));
  }
}
