import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { HostError } from './host-error.ts';
import type { ShownHostKey } from './host-key.ts';
import type { SshTarget } from './inventory.ts';
import { openSocket } from './ssh-connection.ts';
import { askHostKey } from './ssh-login.ts';

const BUDGET_MS = 15_000;

/**
 * Goes to a host the way that the inventory says, and asks for its key. Jump hosts on the way must be trusted already.
 * @throws HostError
 */
export async function fetchHostKey(target: SshTarget, signal: AbortSignal): Promise<ShownHostKey> {
  try {
    return await withinBudget('showing a host key', BUDGET_MS, (within) => ask(target, within), signal);
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new HostError('HOST_TIMEOUT', target.name, `showed no host key within ${BUDGET_MS} ms`, {
      cause: error,
    });
  }
}

async function ask(target: SshTarget, signal: AbortSignal): Promise<ShownHostKey> {
  const socket = await openSocket(target, signal);
  try {
    return await askHostKey(target, socket, signal);
  } finally {
    socket.close();
  }
}
