import ssh2, { type AuthMethod, type Client } from 'ssh2';
import { messageOf } from '../../kit/errors.ts';
import { HostError } from './host-error.ts';
import { hostKeyProblem, type ShownHostKey, shownHostKey } from './host-key.ts';
import type { SshTarget } from './inventory.ts';
import type { SshSocket } from './ssh-socket.ts';

const KEEP_ALIVE = { everyMs: 5_000, unanswered: 3 } as const; // a half-open connection is noticed after 20 s

/** sshd closed the connection before it said anything: it does so when too many log in at once (`MaxStartups`). */
const DROPPED = 'Connection lost before handshake';

/**
 * Logs in over `socket`, to the machine with the pinned key only.
 * @throws HostError `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED`, `HOST_AUTH`, `HOST_UNREACHABLE`; the reason of `signal`
 */
export async function logIn(
  target: SshTarget,
  identity: AuthMethod,
  socket: SshSocket,
  signal: AbortSignal,
): Promise<Client> {
  const client = new ssh2.Client();
  let keyProblem: HostError | null = null;
  try {
    await handshake(client, socket, identity, signal, (shown) => {
      keyProblem = hostKeyProblem(target.name, target.hostKey, shown);
      return keyProblem === null;
    });
    return client;
  } catch (error) {
    client.destroy();
    signal.throwIfAborted();
    throw keyProblem ?? (await loginProblem(target, socket, error));
  }
}

/**
 * The key that the machine at the other end of `socket` shows. Nothing is sent to it but the key exchange.
 * @throws HostError `HOST_UNREACHABLE`; the reason of `signal`
 */
export async function askHostKey(
  target: SshTarget,
  socket: SshSocket,
  signal: AbortSignal,
): Promise<ShownHostKey> {
  const client = new ssh2.Client();
  let key: ShownHostKey | null = null;
  try {
    await handshake(client, socket, { type: 'none', username: target.user }, signal, (shown) => {
      key = shown;
      return false;
    });
  } catch (error) {
    signal.throwIfAborted();
    if (key === null) throw await loginProblem(target, socket, error);
  } finally {
    client.destroy();
  }
  if (key !== null) return key;
  throw new HostError('HOST_UNREACHABLE', target.name, 'let us in without showing a key');
}

/** The listeners stay for the whole life of the client: an `error` that nobody hears ends the process. */
async function handshake(
  client: Client,
  socket: SshSocket,
  identity: AuthMethod,
  signal: AbortSignal,
  accept: (shown: ShownHostKey) => boolean,
): Promise<void> {
  signal.throwIfAborted();
  let agentError: Error | null = null;
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    client.on('error', (error) => {
      // One key of the agent did not work; the next is tried, and the last error tells that there is none.
      if (error.level === 'agent') agentError = error;
      else reject(agentError === null ? error : Object.assign(error, { cause: agentError }));
    });
    client.once('ready', resolve);
    client.once('close', () => reject(new Error('the connection was closed')));
    client.connect({
      sock: socket.stream,
      username: identity.username,
      authHandler: [identity],
      hostVerifier: (blob: Buffer) => accept(shownHostKey(blob)),
      keepaliveInterval: KEEP_ALIVE.everyMs,
      keepaliveCountMax: KEEP_ALIVE.unanswered,
      readyTimeout: 0, // the deadline is the caller's, and covers the way there as well
    });
  });
}

async function loginProblem(target: SshTarget, socket: SshSocket, error: unknown): Promise<HostError> {
  const { name, user, identity } = target;
  const message = messageOf(error);
  const level = error instanceof Error && 'level' in error ? error.level : undefined;
  if (error instanceof HostError) return error; // a jump host on the way
  if (level === 'client-authentication' || /too many authentication failures/i.test(message)) {
    const shown = 'agent' in identity ? 'a key of the agent' : `key ${identity.keyFile}`;
    const agent = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : '';
    return new HostError(
      'HOST_AUTH',
      name,
      `sshd does not let ${user} in with ${shown}: ${message}${agent}`,
      {
        details: { user },
        cause: error,
      },
    );
  }
  const words = await socket.lastWords();
  const why = words === '' ? message : `${message}: ${words.replaceAll(/\s+/g, ' ')}`;
  return new HostError(
    'HOST_UNREACHABLE',
    name,
    `no SSH connection to ${target.address}:${target.port}: ${why}`,
    {
      details: { dropped: message === DROPPED && words === '' }, // a proxy command that says why will say it again
      cause: error,
    },
  );
}
