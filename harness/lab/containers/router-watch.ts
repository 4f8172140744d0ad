import { FaultError } from '../../../kit/errors.ts';
import type { ProcessId } from './lab-state.ts';
import { isRunning } from './process-id.ts';

const LOOK_EVERY_MS = 1_000;

/** Looks after the link router of a lab while a run goes on over it. */
export class RouterWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #listener: ((error: FaultError) => void) | undefined;
  #broken: FaultError | undefined;

  /** @param logFile where the router has left its last words */
  constructor(router: ProcessId, logFile: string) {
    this.#timer = setInterval(() => void this.#look(router, logFile), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** `listener` is told once, also when it comes late. */
  onBroken(listener: (error: FaultError) => void): void {
    this.#listener = listener;
    if (this.#broken !== undefined) listener(this.#broken);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(router: ProcessId, logFile: string): Promise<void> {
    if (this.#broken !== undefined || (await isRunning(router))) return;
    clearInterval(this.#timer);
    this.#broken = new FaultError(
      'LAB_LINKS_GONE',
      `the link router of the lab ended, and hosts are cut from each other; see ${logFile}`,
      { details: { ...router } },
    );
    this.#listener?.(this.#broken);
  }
}
