import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import type { Host, HostSession } from '../fleet/host.ts';
import { HostError } from '../fleet/host-error.ts';
import { sudoProblem } from '../fleet/sudo.ts';
import { deployError } from './problem.ts';

const LOCK_BUDGET_MS = 20_000;
/** For the lock of a deployment that has just been killed: its host has yet to notice. */
const LET_GO_SECS = 5;
/** The exit code by which `flock` says that somebody else holds the lock. */
const HELD = 73;
/** For the program that holds the lock to repeat a word. */
const PROOF_BUDGET_MS = 10_000;

/**
 * The locks that one deployment holds, each by a session of its host. A session may end at any time, with its connection,
 * and its lock with it: what is about to be changed long after the lock was taken is to be held anew.
 */
export class DeployLocks implements AsyncDisposable {
  readonly #sessions = new Map<Host, HostSession>();

  /**
   * Gives `held` where the lock was held from the last call on, by the word of the session that holds it. Else takes it,
   * and what was known of the host may be true no more.
   * @throws what `lockHost` throws
   */
  async hold(host: Host, signal: AbortSignal): Promise<'held' | 'taken'> {
    const session = this.#sessions.get(host);
    if (session !== undefined) {
      if (await repeatsWord(session, signal)) return 'held';
      this.#sessions.delete(host);
      await session[Symbol.asyncDispose]();
    }
    this.#sessions.set(host, await lockHost(host, signal));
    return 'taken';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session[Symbol.asyncDispose]()));
  }
}

/**
 * Keeps other deployments off the host for as long as the session, and so the connection, lives: whoever dies lets go.
 * @throws FaultError `DEPLOY_LOCKED` when another one is under way; HostError when the host does not let us ask
 */
export async function lockHost(host: Host, signal: AbortSignal): Promise<HostSession> {
  const program = ['sh', '-c', 'echo locked; exec cat'];
  const argv = ['flock', '-E', `${HELD}`, '-w', `${LET_GO_SECS}`, DEPLOYED_PATHS.lock, ...program];
  const session = await host.session(argv, { signal, as: 'root' });
  try {
    await withinBudget('the lock', LOCK_BUDGET_MS, () => untilLocked(host, session), signal);
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

/** The lock belongs to whatever program of the session still answers, however long a loss of it takes to be noticed. */
async function repeatsWord(session: HostSession, signal: AbortSignal): Promise<boolean> {
  const word = crypto.randomUUID();
  const repeated = async () => {
    session.send(word);
    return (await session.lines[Symbol.asyncIterator]().next()).value === word;
  };
  try {
    return await withinBudget('the lock to answer', PROOF_BUDGET_MS, repeated, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HostError || error instanceof DeadlineError) return false;
    throw error;
  }
}

async function untilLocked({ name }: Host, { lines, ended }: HostSession): Promise<void> {
  const { value } = await lines[Symbol.asyncIterator]().next();
  if (value === 'locked') return;
  const { code, stderr } = await ended;
  if (code === null)
    throw new HostError('HOST_LOST', name, 'the connection ended while its lock was waited for');
  if (code === HELD) throw deployError('DEPLOY_LOCKED', name, 'another deployment is under way there');
  const refusal = sudoProblem(code, stderr);
  if (refusal !== null) throw new HostError('HOST_SUDO', name, `cannot be root here: ${refusal}`);
  throw deployError('DEPLOY_STEP_FAILED', name, `could not lock it (exit ${code}): ${stderr.trim()}`);
}
