import { BoundedMap } from '../../kit/bounded.ts';
import { PROGRESS_KINDS, type Result } from '../../runner/protocol.ts';
import type { ControlTally, ControlTarget, RunnerResult, WaitOptions } from './control-channel.ts';
import { ControlError } from './control-error.ts';

const NUMBERS_REMEMBERED = 65_536;
const WAITERS_MAX = 16_384;

interface Waiter {
  readonly node: string;
  readonly commandId: string;
  readonly onProgress: ((result: RunnerResult) => void) | undefined;
  readonly resolve: (result: RunnerResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Where results of both channels come in: lets through what the planned agent sent, each once, and hands it to whoever
 * listens or waits for it. Owns the tally of every runner.
 */
export class ControlInbox {
  readonly #targets: ReadonlyMap<string, ControlTarget>;
  readonly #tallies: ReadonlyMap<string, ControlTally>;
  readonly #bootIds = new Map<string, string>();
  readonly #seen = new BoundedMap<string, true>({ max: NUMBERS_REMEMBERED });
  readonly #listeners = new Set<(result: RunnerResult) => void>();
  readonly #waiters = new Set<Waiter>();
  #closed = false;

  constructor(targets: readonly ControlTarget[]) {
    this.#targets = new Map(targets.map((target) => [target.node, target]));
    this.#tallies = new Map(
      targets.map(({ node }) => [
        node,
        { results: 0, forged: 0, doubled: 0, lost: 0, malformed: 0, reconnects: 0, restarts: 0 },
      ]),
    );
  }

  /** @throws ControlError `NODE_UNKNOWN` */
  target(node: string): ControlTarget {
    const target = this.#targets.get(node);
    if (!target) throw new ControlError('NODE_UNKNOWN', node, 'is not part of the plan');
    return target;
  }

  /** The tally to count in. @throws ControlError `NODE_UNKNOWN` */
  tallyOf(node: string): ControlTally {
    const tally = this.#tallies.get(node);
    if (!tally) throw new ControlError('NODE_UNKNOWN', node, 'is not part of the plan');
    return tally;
  }

  tally(): ReadonlyMap<string, Readonly<ControlTally>> {
    return new Map([...this.#tallies].map(([node, tally]) => [node, { ...tally }]));
  }

  onResult(listener: (result: RunnerResult) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a result that came from `sender` by the way that belongs to `target`. */
  take(target: ControlTarget, result: Result, sender: RunnerResult['sender']): void {
    const tally = this.tallyOf(target.node);
    const isGenuine =
      sender.verified &&
      sender.agent_id === target.agentId &&
      sender.machine_id === target.machineId &&
      result.node === target.node &&
      result.agent_id === target.agentId &&
      result.machine_id === target.machineId;
    if (!isGenuine) {
      tally.forged += 1;
      return;
    }
    const number = `${target.node} ${result.boot_id} ${result.seq}`;
    if (this.#seen.has(number)) {
      tally.doubled += 1;
      return;
    }
    this.#seen.set(number, true);
    tally.results += 1;
    this.#noteBoot(target.node, result.boot_id, tally);
    const passedOn: RunnerResult = { ...result, sender };
    for (const waiter of [...this.#waiters]) {
      if (waiter.node === result.node && waiter.commandId === result.command_id) tell(waiter, passedOn);
    }
    for (const listener of [...this.#listeners]) listener(passedOn);
  }

  /** Waits for the final result of a command; ask before it is sent, since nothing earlier is kept here. */
  async finalResult(
    node: string,
    commandId: string,
    { budgetMs, signal, onProgress }: WaitOptions & { readonly onProgress?: (result: RunnerResult) => void },
  ): Promise<RunnerResult> {
    this.throwIfClosed(node);
    signal?.throwIfAborted();
    if (this.#waiters.size >= WAITERS_MAX) {
      throw new ControlError('RESULT_TIMEOUT', node, `${WAITERS_MAX} results are being waited for already`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<RunnerResult>();
    const waiter: Waiter = { node, commandId, onProgress, resolve, reject };
    const onAbort = () => reject(signal?.reason);
    const timer = setTimeout(
      () =>
        reject(
          new ControlError(
            'RESULT_TIMEOUT',
            node,
            `no result of command ${commandId} within ${budgetMs} ms`,
            {
              details: { command_id: commandId, budget_ms: budgetMs },
            },
          ),
        ),
      Math.max(0, budgetMs),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiters.add(waiter);
    try {
      return await promise;
    } finally {
      this.#waiters.delete(waiter);
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** @throws ControlError `CONTROL_CLOSED` */
  throwIfClosed(node: string): void {
    if (this.#closed) throw new ControlError('CONTROL_CLOSED', node, 'the control channel is closed');
  }

  close(): void {
    this.#closed = true;
    for (const { node, reject } of [...this.#waiters]) {
      reject(new ControlError('CONTROL_CLOSED', node, 'the control channel was closed'));
    }
    this.#listeners.clear();
  }

  #noteBoot(node: string, bootId: string, tally: ControlTally): void {
    const before = this.#bootIds.get(node);
    this.#bootIds.set(node, bootId);
    if (before !== undefined && before !== bootId) tally.restarts += 1;
  }
}

function tell({ resolve, reject, onProgress }: Waiter, result: RunnerResult): void {
  if (!PROGRESS_KINDS.has(result.kind)) {
    resolve(result);
    return;
  }
  try {
    onProgress?.(result);
  } catch (error) {
    reject(error);
  }
}
