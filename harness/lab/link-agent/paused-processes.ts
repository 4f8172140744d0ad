import { type ChildProcess, spawn } from 'node:child_process';
import { codeOf, FaultError } from '../../../kit/errors.ts';
import { readProcessStat } from '../process-stat.ts';

/**
 * `sh -c UNDO name PID START`: lets the process go on when its own input ends, which the kernel sees to when the link
 * agent dies. Not when another process has that id by then; START is empty where there is no `/proc` to tell.
 */
const UNDO = `read -r _
[ "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)" = "$2" ] && kill -CONT "$1"`;

interface Paused {
  readonly pid: number;
  /** Tells the process from a later one of the same id. */
  readonly startTicks: string | undefined;
  readonly undo: ChildProcess;
}

/**
 * Processes that were stopped by SIGSTOP, each by one or more leases. One that is stopped cannot notice that its parent
 * died, so before it is, a shell waits beside it that lets it go on when this process dies, however it does.
 */
export class PausedProcesses {
  readonly #paused = new Map<string, Paused>(); // by lease
  readonly #undoLost: (leaseId: string) => void;

  /** @param undoLost told when nothing would undo a lease any more if this process died: it must end now */
  constructor(undoLost: (leaseId: string) => void) {
    this.#undoLost = undoLost;
  }

  /** @throws FaultError `PROCESS_GONE`, `PAUSE_FAILED` */
  pause(leaseId: string, pid: number): void {
    const startTicks = readProcessStat(pid)?.startTicks;
    const undo = armUndo(pid, startTicks);
    undo.once('exit', () => {
      if (this.#paused.get(leaseId)?.undo === undo) this.#undoLost(leaseId);
    });
    this.#paused.set(leaseId, { pid, startTicks, undo }); // before it acts, so that every way out undoes it
    try {
      process.kill(pid, 'SIGSTOP');
    } catch (cause) {
      this.#paused.delete(leaseId);
      undo.kill('SIGKILL');
      const code = codeOf(cause) === 'ESRCH' ? 'PROCESS_GONE' : 'PAUSE_FAILED';
      throw new FaultError(code, `process ${pid} cannot be paused: ${codeOf(cause)}`, { cause });
    }
  }

  /** Lets the process go on unless another lease holds it. */
  resume(leaseId: string): void {
    const paused = this.#paused.get(leaseId);
    if (paused === undefined) return;
    this.#paused.delete(leaseId);
    try {
      if ([...this.#paused.values()].some(({ pid }) => pid === paused.pid)) return;
      if (readProcessStat(paused.pid)?.startTicks !== paused.startTicks) return; // it ended; this is another one
      process.kill(paused.pid, 'SIGCONT');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    } finally {
      paused.undo.kill('SIGKILL');
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

/** In a session of its own, so that what ends this process's group does not end it. */
function armUndo(pid: number, startTicks = ''): ChildProcess {
  const undo = spawn('/bin/sh', ['-c', UNDO, 'meshproof-undo-pause', String(pid), startTicks], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  undo.on('error', () => {}); // it has no id then, which is told below
  if (undo.pid !== undefined) return undo;
  throw new FaultError(
    'PAUSE_FAILED',
    `process ${pid} cannot be paused: /bin/sh, which would let it go on should the link agent die, does not start`,
  );
}
