import { spawn } from 'node:child_process';
import { withinBudget } from '../../../kit/deadline.ts';
import { FaultError, messageOf } from '../../../kit/errors.ts';
import { SYSTEM_PATH } from './system-command.ts';

const PATIENCE_MS = 5_000; // a command that was told to end gets that long
const BUSY_CODE = 1; // of flock when its time is up
const START_BUDGET_MS = 10_000; // for flock itself, on a busy machine

/**
 * Keeps other commands off a lab while this one changes it. `flock` holds the directory in a child that lives as long
 * as our end of its pipe: however this process ends, the lock is free, with nothing stale to detect or to take over.
 * @throws FaultError `LAB_BUSY`; `LAB_LOCK_FAILED` where `dir` cannot be locked; `LAB_NEEDS` without flock
 */
export async function lockLab(
  dir: string,
  { signal, patienceMs = PATIENCE_MS }: { readonly signal: AbortSignal; readonly patienceMs?: number },
): Promise<AsyncDisposable> {
  const holder = spawn('flock', ['--exclusive', '--timeout', `${patienceMs / 1_000}`, dir, 'cat'], {
    env: { PATH: SYSTEM_PATH },
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true, // Ctrl-C is for this process, which may have something to finish under the lock
  });
  const ended = new Promise<void>((resolve) => {
    holder.once('close', () => resolve());
    holder.once('error', () => resolve());
  });
  const acquired = new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve()); // `cat` runs only under the lock
    holder.once('close', (code) => {
      const busy = `another lab command is at work in ${dir}, and was not done after ${patienceMs} ms`;
      const failed = `${dir} cannot be locked: flock ended with code ${code}`;
      reject(
        code === BUSY_CODE ? new FaultError('LAB_BUSY', busy) : new FaultError('LAB_LOCK_FAILED', failed),
      );
    });
    holder.once('error', (cause) => {
      const why = `flock cannot be run (package util-linux): ${messageOf(cause)}`;
      reject(new FaultError('LAB_NEEDS', why, { cause }));
    });
  });
  holder.stdin.on('error', () => {}); // it has ended; `acquired` tells why
  holder.stdin.write('.');
  const release = async () => {
    holder.stdin.end();
    await ended;
  };
  try {
    await withinBudget('the lock of the lab', patienceMs + START_BUDGET_MS, () => acquired, signal);
    return { [Symbol.asyncDispose]: release };
  } catch (error) {
    holder.kill();
    await release();
    throw error;
  }
}
