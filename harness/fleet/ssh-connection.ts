import type { Duplex } from 'node:stream';
import type { Client, ClientChannel } from 'ssh2';
import { DeadlineError, until, withinBudget } from '../../kit/deadline.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { type ChannelKind, ChannelLimit } from './channel-limit.ts';
import { HostError } from './host-error.ts';
import type { SshTarget } from './inventory.ts';
import { heedExit } from './run-command.ts';
import { loadIdentity } from './ssh-identity.ts';
import { logIn } from './ssh-login.ts';
import { connectByCommand, connectDirectly, type SshSocket } from './ssh-socket.ts';
import { tunnelOver } from './ssh-tunnel.ts';

/** To open a channel. An sshd that lets one wait for longer is gone, whatever TCP says. */
const OPEN_BUDGET_MS = 10_000;
/** RFC 4254, 5.1. Of a tunnel: nothing took the connection at that port. Of a command: sshd has no session free. */
const CONNECT_FAILED = 2;
/**
 * For a session to become free there. sshd counts one for a moment after its channel was closed, and until the process of
 * a command that was given up has ended, so it may refuse what is within its `MaxSessions`.
 */
const SESSION_BUDGET_MS = 5_000;
const SESSION_RETRY_MS = 25;

type Opened = (error: Error | undefined, channel: ClientChannel) => void;

/** One live connection, to the machine whose host key is pinned. It is lost once and never comes back. */
export class SshConnection {
  readonly #host: string;
  readonly #client: Client;
  readonly #socket: SshSocket;
  readonly #lost = new AbortController();
  readonly channels: ChannelLimit;

  private constructor(host: string, client: Client, socket: SshSocket) {
    this.#host = host;
    this.#client = client;
    this.#socket = socket;
    this.channels = new ChannelLimit(host);
    client.on('error', (error) => this.#lose(messageOf(error), error));
    client.on('end', () => this.#lose('it was closed from there'));
    client.on('close', () => this.#lose('it was closed'));
  }

  /**
   * Connects, through the jump hosts where there are some. The deadline is the caller's `signal`.
   * @throws HostError; UsageError for a key that cannot be used
   */
  static async open(target: SshTarget, signal: AbortSignal): Promise<SshConnection> {
    const identity = await loadIdentity(target);
    const socket = await openSocket(target, signal);
    try {
      return new SshConnection(target.name, await logIn(target, identity, socket, signal), socket);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Aborts when the connection ended, with a `HostError` as its reason. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Starts `command` by the user's login shell, once there is a free channel of this kind.
   * @throws HostError `HOST_REFUSED` when sshd has no session free for it within 5 s, or forbids it
   */
  async start(kind: 'exec' | 'session', command: string, signal: AbortSignal): Promise<ClientChannel> {
    let refused: unknown;
    const attempt = async () => {
      try {
        return await this.#openChannel(kind, 'a command', signal, (opened) =>
          this.#client.exec(command, opened),
        );
      } catch (error) {
        if (!isConnectFailed(error)) throw error;
        refused = error;
        return undefined;
      }
    };
    const limits = { budgetMs: SESSION_BUDGET_MS, everyMs: SESSION_RETRY_MS, signal };
    try {
      return await until('a free session', attempt, limits);
    } catch (error) {
      if (refused === undefined || signal.aborted || !(error instanceof DeadlineError)) throw error;
      const why = `sshd had no session free for a command in ${SESSION_BUDGET_MS / 1_000} s (see its MaxSessions)`;
      throw new HostError('HOST_REFUSED', this.#host, why, { cause: refused });
    }
  }

  /**
   * A TCP connection from there to `address`.
   * @throws an error with code `ECONNREFUSED` when nothing listens there, which is no failure of the host
   */
  async tunnel(address: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const what = `a connection to ${address}:${port}`;
    try {
      const channel = await this.#openChannel('tunnel', what, signal, (opened) =>
        this.#client.forwardOut('127.0.0.1', 0, address, port, opened),
      );
      return tunnelOver(channel, this.lost);
    } catch (error) {
      if (!isConnectFailed(error)) throw error;
      const why = `${what} was refused: ${messageOf(error)}`;
      throw Object.assign(new Error(why, { cause: error }), { code: 'ECONNREFUSED' });
    }
  }

  close(): void {
    this.#lose('it was closed here');
  }

  async #openChannel(
    kind: ChannelKind,
    what: string,
    signal: AbortSignal,
    open: (opened: Opened) => void,
  ): Promise<ClientChannel> {
    const either = AbortSignal.any([signal, this.lost]);
    const giveBack = await this.channels.take(kind, either);
    const opening = new Promise<ClientChannel>((resolve, reject) => {
      open((error, channel) => {
        if (error) return reject(this.lost.aborted ? this.lost.reason : this.#refusal(what, error));
        heedExit(channel);
        channel.stderr.once('close', giveBack); // the last thing that ssh2 does with a channel
        if (kind === 'tunnel' || either.aborted) channel.stderr.resume();
        if (either.aborted) channel.resume().close(); // nobody waits for it any more
        resolve(channel);
      });
    });
    opening.catch(giveBack);
    try {
      return await withinBudget(`opening ${what}`, OPEN_BUDGET_MS, () => opening, either);
    } catch (error) {
      if (!either.aborted && error instanceof DeadlineError) this.#lose(error.message, error);
      if (!signal.aborted) this.lost.throwIfAborted();
      throw error;
    }
  }

  #refusal(what: string, error: Error): Error {
    if (isConnectFailed(error)) return error; // who asked knows what it means
    return new HostError('HOST_REFUSED', this.#host, `sshd did not open ${what}: ${error.message}`, {
      cause: error,
    });
  }

  #lose(why: string, cause?: unknown): void {
    if (this.lost.aborted) return;
    this.#lost.abort(
      new HostError('HOST_LOST', this.#host, `the SSH connection ended: ${why}`, {
        details: { reason: codeOf(cause) },
        cause,
      }),
    );
    this.#client.end();
    this.#client.destroy();
    this.#socket.close();
  }
}

function isConnectFailed(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === CONNECT_FAILED;
}

/** A byte stream to the sshd of `target`, the way that the inventory says. */
export async function openSocket(target: SshTarget, signal: AbortSignal): Promise<SshSocket> {
  if (target.proxyCommand !== null) return connectByCommand(target, target.proxyCommand);
  if (target.jump === null) return await connectDirectly(target, signal);
  const jump = await SshConnection.open(target.jump, signal);
  try {
    const stream = await jump.tunnel(target.address, target.port, signal);
    stream.on('error', () => {}); // heard by ssh2 as well; in between nobody may be listening
    return {
      stream,
      lastWords: async () => '',
      close: () => {
        stream.destroy();
        jump.close();
      },
    };
  } catch (error) {
    jump.close();
    signal.throwIfAborted();
    const why = `${target.address}:${target.port} cannot be reached through ${target.jump.name}: ${messageOf(error)}`;
    throw new HostError('HOST_UNREACHABLE', target.name, why, { cause: error });
  }
}
