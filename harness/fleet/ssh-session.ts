import { constants } from 'node:os';
import { StringDecoder } from 'node:string_decoder';
import type { ClientChannel } from 'ssh2';
import type { HostSession } from './host.ts';
import { HostError } from './host-error.ts';
import { ended, type ProcessEnding } from './run-command.ts';

const MAX_LINE_CHARS = 1024 * 1024;
const KEPT_STDERR_CHARS = 64 * 1024;
const SIGNALLED = 128;

/** A program at the far end of `channel`, spoken to in lines. It ends with its standard input or its connection. */
export function sessionOver(host: string, channel: ClientChannel, lost: AbortSignal): HostSession {
  let stderr = '';
  const decoder = new StringDecoder('utf8');
  channel.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + decoder.write(chunk)).slice(-KEPT_STDERR_CHARS);
  });
  const gone = new Promise<null>((resolve) => {
    if (lost.aborted) resolve(null);
    lost.addEventListener('abort', () => resolve(null), { once: true });
  });
  const ending = Promise.race([ended(channel), gone]).then((end) => ({
    code: lost.aborted || end === null ? null : codeOf(end),
    stderr,
  }));
  return {
    send: (line) => {
      lost.throwIfAborted();
      if (!channel.writable) throw new HostError('HOST_LOST', host, 'the program has ended');
      channel.write(`${line}\n`);
    },
    lines: linesOf(host, channel),
    ended: ending,
    async [Symbol.asyncDispose]() {
      channel.end();
      channel.close();
      channel.resume();
      await ending;
    },
  };
}

/** As shells say it, so that only a lost connection has no code: 128 and the number of the signal that ended it. */
function codeOf({ code, signal }: ProcessEnding): number | null {
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  return code ?? (number === undefined ? null : SIGNALLED + number);
}

/** Reads as fast as it is asked to, and leaves the stream open when the reader stops. */
async function* linesOf(host: string, channel: ClientChannel): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of channel.iterator({ destroyOnReturn: false })) {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
    if (rest.length > MAX_LINE_CHARS) {
      throw new HostError('HOST_OUTPUT', host, `a line is longer than ${MAX_LINE_CHARS} characters`);
    }
  }
  if (rest !== '') yield rest;
}
