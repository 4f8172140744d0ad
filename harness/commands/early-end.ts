import { type Clock, realClock } from '../../kit/clock.ts';
import type { FaultError } from '../../kit/errors.ts';
import type { Progress } from '../progress/progress.ts';
import { InterruptError } from '../run/interrupt-error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ECHO_MS = 500; // one Ctrl-C may come three times: from the terminal, from the launcher and from npm

/**
 * What ends a run before its time: a signal, what carries it breaking, or an error that nobody caught. Either way the
 * run itself takes its mesh down and judges what it has; asking again changes nothing, since every step of that has its
 * own deadline.
 */
export class EarlyEnd implements Disposable {
  readonly #abort = new AbortController();
  readonly #progress: Progress;
  readonly #clock: Clock;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #defect: { readonly error: unknown } | undefined;

  constructor(progress: Progress, clock: Clock = realClock) {
    this.#progress = progress;
    this.#clock = clock;
    for (const name of SIGNALS) process.on(name, this.#onSignal);
    process.on('uncaughtException', this.#onDefect); // rejections that nobody handles come here too
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(signalName: string): void {
    if (!this.signal.aborted) {
      this.#endedAtMs = this.#clock.nowMs();
      this.#abort.abort(new InterruptError(signalName));
    } else if (this.#clock.nowMs() - this.#endedAtMs > ECHO_MS) {
      this.#progress.show({ event: 'still_stopping', signal: signalName });
    }
  }

  /** What carries the run broke: nothing that it would still see would be the nodes' doing. */
  breakOff(error: FaultError): void {
    this.#abort.abort(error);
  }

  /** Throws the error that nobody caught: it may have come when nothing heeded the signal any more. */
  throwIfDefective(): void {
    if (this.#defect !== undefined) throw this.#defect.error;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
    process.off('uncaughtException', this.#onDefect);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => this.end(name);

  readonly #onDefect = (error: unknown): void => {
    this.#defect ??= { error };
    this.#abort.abort(error);
  };
}
