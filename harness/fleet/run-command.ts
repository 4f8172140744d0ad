import { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import type { ExecResult } from './host.ts';
import { HostError } from './host-error.ts';

/** Of each of the two outputs. A command of ours that says more is broken. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** What a command is given on its standard input. */
export type Stdin = string | Uint8Array | Readable | undefined;

/** How a process at the far end ended: by itself, or by a signal such as `SIGKILL`. */
export interface ProcessEnding {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * Feeds a command and waits for its end.
 * @throws HostError `HOST_LOST`, `HOST_KILLED`, `HOST_OUTPUT`; what reading `stdin` throws; the reason of `signal`
 */
export async function runCommand(
  host: string,
  channel: ClientChannel,
  {
    stdin,
    signal,
    lost,
  }: { readonly stdin: Stdin; readonly signal: AbortSignal; readonly lost: AbortSignal },
): Promise<ExecResult> {
  const stop = new AbortController();
  try {
    const [ending, stdout, stderr] = await Promise.race([
      Promise.all([ended(channel), collect(host, channel), collect(host, channel.stderr)]),
      rejection(AbortSignal.any([signal, lost]), stop.signal),
      feed(channel, stdin, stop.signal),
    ]);
    lost.throwIfAborted(); // ssh2 closes the channels of a lost connection as if they had ended
    return { code: codeOfEnding(host, ending, stderr), stdout, stderr };
  } finally {
    stop.abort();
    channel.close();
    channel.resume().stderr.resume(); // a channel whose output nobody reads never closes
  }
}

const endings = new WeakMap<ClientChannel, ProcessEnding>();

/** To be called as ssh2 hands the channel over: the end of a short command may come with the very same packet. */
export function heedExit(channel: ClientChannel): void {
  channel.once('exit', (code: number | null, name?: string) => {
    endings.set(channel, { code, signal: name ?? null });
  });
}

/** Resolves when the channel is closed; the output may still be on its way through this process. */
export function ended(channel: ClientChannel): Promise<ProcessEnding> {
  return new Promise((resolve) => {
    channel.stderr.once('close', () => resolve(endings.get(channel) ?? { code: null, signal: null }));
  });
}

function codeOfEnding(host: string, { code, signal }: ProcessEnding, stderr: string): number {
  if (code !== null) return code;
  const said = stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-200)}`;
  if (signal !== null) throw new HostError('HOST_KILLED', host, `${signal} ended the command${said}`);
  throw new HostError('HOST_LOST', host, `the command ended without telling how${said}`);
}

/** Decoded once it is whole, so that no character is cut between two packets. */
async function collect(host: string, stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return await new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_OUTPUT_BYTES) return chunks.push(chunk);
      chunks.length = 0;
      reject(new HostError('HOST_OUTPUT', host, `a command said more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    stream.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

/** Never resolves: a command that does not read to the end is judged by its exit code. Rejects when reading fails. */
function feed(channel: ClientChannel, stdin: Stdin, stop: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (!(stdin instanceof Readable)) {
      channel.end(stdin);
      return;
    }
    stdin.once('error', reject);
    stop.addEventListener('abort', () => stdin.destroy(), { once: true });
    stdin.pipe(channel);
  });
}

function rejection(signal: AbortSignal, stop: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: stop });
  });
}
