import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import { commandEnv } from './run-command.ts';

const LOCK_BUDGET_MS = 20_000; // longer than the slowest step of another invocation but `stop`
const TIMED_OUT = 1; // of flock, unless told otherwise

/**
 * Holds the lock of this host while `work` runs. `flock` holds it in a child that lives as long as our end of its
 * pipe: however this process ends, the kernel closes the pipe and the lock is free, with nothing stale to detect.
 *
 * @throws FaultError `LOCK_BUSY`, `LOCK_FAILED`, `COMMAND_MISSING`
 */
export async function holdingLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const file = join(directory, '.lock');
  const seconds = String(LOCK_BUDGET_MS / 1_000);
  const holder = spawn('flock', ['--exclusive', '--timeout', seconds, file, 'cat'], {
    env: commandEnv(),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => {
    holder.on('close', () => resolve());
    holder.on('error', () => resolve());
  });
  holder.stdin.on('error', () => {}); // it has ended; `acquired` tells why
  try {
    await new Promise<void>((acquired, reject) => {
      holder.stdout.once('data', () => acquired()); // `cat` runs only under the lock
      holder.once('close', (code) => {
        if (code !== TIMED_OUT)
          return reject(new FaultError('LOCK_FAILED', `flock ${file} ended with code ${code}`));
        reject(new FaultError('LOCK_BUSY', `another fault program held ${file} for more than ${seconds} s`));
      });
      holder.once('error', (cause) => {
        const missing = codeOf(cause) === 'ENOENT';
        const message = missing ? 'flock is not installed (package util-linux)' : messageOf(cause);
        reject(new FaultError(missing ? 'COMMAND_MISSING' : 'LOCK_FAILED', message, { cause }));
      });
      holder.stdin.write('.');
    });
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
