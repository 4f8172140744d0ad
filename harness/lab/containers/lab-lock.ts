import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withinBudget } from '../../../kit/deadline.ts';
import { FaultError, messageOf } from '../../../kit/errors.ts';
import { SYSTEM_PATH } from './system-command.ts';

const PATIENCE_MS = 5_000; // a command that was told to end gets that long
const RUN_PATIENCE_MS = 500; // nobody waits for a run
const BUSY_CODE = 1; // of flock when its time is up
const START_BUDGET_MS = 10_000; // for flock itself, on a busy machine
const LINKS_LOCK = 'links.lock';

interface LockOptions {
  readonly signal: AbortSignal;
  readonly patienceMs?: number;
}

interface Lock {
  /** What is locked: a directory, or a file that is made when it is not there. */
  readonly place: string;
  readonly mode: 'shared' | 'exclusive';
  readonly patienceMs: number;
  readonly busy: FaultError;
}

/**
 * Keeps other commands off a lab while this one changes it.
 * @throws FaultError `LAB_BUSY`; `LAB_LOCK_FAILED` where `dir` cannot be locked; `LAB_NEEDS` without flock
 */
export async function lockLab(
  dir: string,
  { signal, patienceMs = PATIENCE_MS }: LockOptions,
): Promise<AsyncDisposable> {
  const told = `another lab command is at work in ${dir}, and was not done after ${patienceMs} ms`;
  const busy = new FaultError('LAB_BUSY', told);
  const place = `${dir}/`; // or flock would make a file where no directory is
  const lock = await take({ place, mode: 'exclusive', patienceMs, busy }, signal);
  if (existsSync(dir)) return lock;
  await lock[Symbol.asyncDispose]();
  throw new FaultError('LAB_BUSY', `${dir} was removed by another lab command meanwhile: try again`);
}

/**
 * Keeps the links of a lab as they are while a run goes on, beside other runs.
 * @throws FaultError `LAB_BUSY` while they are being changed, and as `lockLab`
 */
export async function keepLinks(
  dir: string,
  { signal, patienceMs = PATIENCE_MS }: LockOptions,
): Promise<AsyncDisposable> {
  const busy = new FaultError('LAB_BUSY', `the links of the lab in ${dir} are being changed`);
  return await take({ place: join(dir, LINKS_LOCK), mode: 'shared', patienceMs, busy }, signal);
}

/**
 * For who is about to change the links of a lab, its lock in hand.
 * @throws FaultError `LAB_IN_USE` while a run goes on, and as `lockLab`
 */
export async function lockLinks(
  dir: string,
  { signal, patienceMs = RUN_PATIENCE_MS }: LockOptions,
): Promise<AsyncDisposable> {
  const busy = new FaultError(
    'LAB_IN_USE',
    `a run is going on over the lab in ${dir}, and its plan says what the links are: they can be changed when it has ended`,
  );
  return await take({ place: join(dir, LINKS_LOCK), mode: 'exclusive', patienceMs, busy }, signal);
}

/**
 * `flock` holds the place in a child that lives as long as our end of its pipe: however this process ends, the lock is
 * free, with nothing stale to detect or to take over.
 */
async function take({ place, mode, patienceMs, busy }: Lock, signal: AbortSignal): Promise<AsyncDisposable> {
  const holder = spawn('flock', [`--${mode}`, '--timeout', `${patienceMs / 1_000}`, place, 'cat'], {
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
      const failed = `${place} cannot be locked: flock ended with code ${code}`;
      reject(code === BUSY_CODE ? busy : new FaultError('LAB_LOCK_FAILED', failed));
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
