import { codeOf, FaultError } from '../../../kit/errors.ts';
import { readProcessStat } from '../process-stat.ts';

/**
 * Processes that were stopped by SIGSTOP, each by one or more leases. One that is stopped cannot notice that its parent
 * died, so whoever stops it must be the one to see it go on.
 */
export class PausedProcesses {
  /** By lease. The start time tells the process from a later one of the same id. */
  readonly #paused = new Map<string, { readonly pid: number; readonly startTicks: string | undefined }>();

  /** @throws FaultError `PROCESS_GONE`, `PAUSE_FAILED` */
  pause(leaseId: string, pid: number): void {
    const startTicks = readProcessStat(pid)?.startTicks;
    this.#paused.set(leaseId, { pid, startTicks }); // before it acts, so that every way out undoes it
    try {
      process.kill(pid, 'SIGSTOP');
    } catch (cause) {
      this.#paused.delete(leaseId);
      const code = codeOf(cause) === 'ESRCH' ? 'PROCESS_GONE' : 'PAUSE_FAILED';
      throw new FaultError(code, `process ${pid} cannot be paused: ${codeOf(cause)}`, { cause });
    }
  }

  /** Lets the process go on unless another lease holds it. */
  resume(leaseId: string): void {
    const paused = this.#paused.get(leaseId);
    this.#paused.delete(leaseId);
    if (paused === undefined || [...this.#paused.values()].some(({ pid }) => pid === paused.pid)) return;
    if (readProcessStat(paused.pid)?.startTicks !== paused.startTicks) return; // it ended; this is another one
    try {
      process.kill(paused.pid, 'SIGCONT');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  }

  /** Lets all go on, whatever happens on the way; for the end of this process. */
  resumeAll(): void {
    for (const leaseId of [...this.#paused.keys()]) {
      try {
        this.resume(leaseId);
      } catch {} // the others must go on even so
    }
  }
}
