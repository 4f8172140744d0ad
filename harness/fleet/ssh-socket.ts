import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { codeOf, messageOf } from '../../kit/errors.ts';
import { HostError } from './host-error.ts';
import type { SshTarget } from './inventory.ts';

const KEPT_WORDS = 1_000; // characters of what a proxy command said last
const LAST_WORDS_MS = 500; // its output ends before its standard error does
const KILL_AFTER_MS = 2_000;

/** A byte stream that leads to an sshd. */
export interface SshSocket {
  readonly stream: Duplex;
  /** What may explain why the stream ended: the last words of a proxy command; empty without. */
  lastWords(): Promise<string>;
  close(): void;
}

/** @throws HostError `HOST_UNREACHABLE` */
export async function connectDirectly(
  { name, address, port }: SshTarget,
  signal: AbortSignal,
): Promise<SshSocket> {
  signal.throwIfAborted();
  const socket = connect({ host: address, port, noDelay: true, keepAlive: true });
  socket.on('error', () => {}); // heard below and by ssh2; in between nobody may be listening
  const onAbort = () => socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await once(socket, 'connect', { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new HostError(
      'HOST_UNREACHABLE',
      name,
      `${address}:${port} cannot be reached: ${messageOf(cause)}`,
      {
        details: { reason: codeOf(cause) },
        cause,
      },
    );
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  return { stream: socket, lastWords: async () => '', close: () => socket.destroy() };
}

/**
 * Starts the proxy command of `target`; its standard streams are the connection. It has a process group of its own: Ctrl-C
 * at the terminal goes to whoever is in ours, and what is in hand on the host may still need the way there.
 */
export function connectByCommand(target: SshTarget, command: readonly string[]): SshSocket {
  const [program = '', ...args] = command.map((argument) =>
    argument.replaceAll('{host}', target.address).replaceAll('{port}', String(target.port)),
  );
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let words = '';
  const say = (text: string) => {
    words = (words + text).slice(-KEPT_WORDS);
  };
  child.on('error', (error) => say(`${program}: ${messageOf(error)}`));
  child.stderr.setEncoding('utf8').on('data', say);
  child.stdin.on('error', () => {}); // it went away: the end of its output tells the same
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  stream.on('error', () => {});
  return {
    stream,
    lastWords: async () => {
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())]);
      return words.trim();
    },
    close: () => {
      stream.destroy();
      const { pid } = child;
      if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      process.kill(-pid, 'SIGTERM');
      const killing = setTimeout(() => process.kill(-pid, 'SIGKILL'), KILL_AFTER_MS);
      child.once('exit', () => clearTimeout(killing));
    },
  };
}
