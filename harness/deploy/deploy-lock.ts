import { withinBudget } from '../../kit/deadline.ts';
import type { Host, HostSession } from '../fleet/host.ts';
import { DEPLOYED_PATHS } from './deployed-host.ts';
import { deployError } from './problem.ts';

const LOCK_BUDGET_MS = 20_000;
/** For the lock of a deployment that has just been killed: its host has yet to notice. */
const LET_GO_SECS = 5;

/**
 * Keeps other deployments off the host for as long as the session, and so the connection, lives: whoever dies lets go.
 * @throws FaultError `DEPLOY_LOCKED` when another one is under way
 */
export async function lockHost(host: Host, signal: AbortSignal): Promise<HostSession> {
  const argv = ['flock', '-w', `${LET_GO_SECS}`, DEPLOYED_PATHS.lock, 'sh', '-c', 'echo locked; exec cat'];
  const session = await host.session(argv, { signal, as: 'root' });
  try {
    const first = session.lines[Symbol.asyncIterator]().next();
    const { value } = await withinBudget('the lock', LOCK_BUDGET_MS, () => first, signal);
    if (value !== 'locked')
      throw deployError('DEPLOY_LOCKED', host.name, 'another deployment is under way there');
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}
