import { type Clock, realClock } from './clock.ts';
import { type JsonObject, MeshproofError } from './errors.ts';

/** A wait ran out of its budget. `details` says what was waited for and how long. */
export class DeadlineError extends MeshproofError {
  constructor(what: string, budgetMs: number, details: JsonObject = {}) {
    super('DEADLINE_EXCEEDED', `${what} did not happen within ${Math.round(budgetMs)} ms`, {
      details: { what, budget_ms: budgetMs, ...details },
    });
  }
}

/**
 * A point in time that nested work must respect. Budgets nest: a stage takes part of what is left and can never add
 * to it (`DESIGN` "Budgets nest").
 */
export class Deadline {
  readonly #clock: Clock;
  readonly atMs: number;
  readonly budgetMs: number;

  private constructor(clock: Clock, budgetMs: number, atMs: number) {
    this.#clock = clock;
    this.budgetMs = budgetMs;
    this.atMs = atMs;
  }

  static in(budgetMs: number, clock: Clock = realClock): Deadline {
    return new Deadline(clock, budgetMs, clock.nowMs() + budgetMs);
  }

  remainingMs(): number {
    return Math.max(0, this.atMs - this.#clock.nowMs());
  }

  hasPassed(): boolean {
    return this.remainingMs() <= 0;
  }

  /** The smaller of `ms` and what is left. */
  within(ms: number): Deadline {
    const budget = Math.min(ms, this.remainingMs());
    return new Deadline(this.#clock, budget, this.#clock.nowMs() + budget);
  }
}

/**
 * Runs `work` under a budget. The signal given to it aborts when the budget is spent or `signal` aborts; a spent
 * budget rejects with `DeadlineError` at once, even when `work` ignores its signal.
 */
export async function withinBudget<T>(
  what: string,
  budgetMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  return await new Promise<T>((resolve, reject) => {
    const stop = (reason: unknown) => {
      controller.abort(reason);
      reject(reason);
    };
    const onAbort = () => stop(signal?.reason);
    const timer = setTimeout(() => stop(new DeadlineError(what, budgetMs)), Math.max(0, budgetMs));
    signal?.addEventListener('abort', onAbort, { once: true });
    Promise.try(work, controller.signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      });
  });
}

/**
 * Polls `probe` until it gives something other than `undefined`. Throws `DeadlineError` when `budgetMs` is spent; a probe
 * that is under way then is waited for, so one that asks elsewhere has a deadline of its own.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  {
    budgetMs,
    everyMs = 50,
    signal,
    clock = realClock,
  }: { budgetMs: number; everyMs?: number; signal?: AbortSignal; clock?: Clock },
): Promise<T> {
  const deadline = Deadline.in(budgetMs, clock);
  for (;;) {
    signal?.throwIfAborted();
    const value = await probe();
    if (value !== undefined) return value;
    if (deadline.hasPassed()) throw new DeadlineError(what, budgetMs);
    await clock.sleep(Math.min(everyMs, deadline.remainingMs()), signal);
  }
}
