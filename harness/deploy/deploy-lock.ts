import { withinBudget } from '../../kit/deadline.ts';
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
