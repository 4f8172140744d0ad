import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { codeOf, FaultError } from '../../kit/errors.ts';
import { Random } from '../../kit/random.ts';

/**
 * Below the ports that kernels hand out by themselves (Linux from 32768, macOS from 49152): while a process restarts,
 * nobody's outgoing connection takes its port.
 */
const LOWEST = 20_000;
const HIGHEST = 32_767;
const TRIES_PER_PORT = 50;
const TAKEN = ['EADDRINUSE', 'EACCES'];

type Holder = { close(): void };

/**
 * `count` distinct ports of `host` that were free just now, for UDP or TCP. All are held until the last is found;
 * another process may still take one before it is used, and the bind of its user then says so (`foundPortTaken`).
 * @throws FaultError `NO_FREE_PORT`
 */
export async function freePorts(
  protocol: 'udp' | 'tcp',
  host: string,
  count: number,
): Promise<readonly number[]> {
  const random = new Random(Random.freshSeed());
  const hold = protocol === 'udp' ? holdUdp : holdTcp;
  const held = new Map<number, Holder>();
  try {
    for (let tries = 0; held.size < count; tries += 1) {
      if (tries > count * TRIES_PER_PORT) {
        throw new FaultError(
          'NO_FREE_PORT',
          `no ${count} free ${protocol} ports of ${host} in ${LOWEST}–${HIGHEST}`,
        );
      }
      const port = random.int(LOWEST, HIGHEST);
      if (held.has(port)) continue;
      const holder = await hold(host, port);
      if (holder !== undefined) held.set(port, holder);
    }
    return [...held.keys()];
  } finally {
    for (const holder of held.values()) holder.close();
  }
}

/** Whether a program did not start since another one had taken its port, by what it said last. */
export function foundPortTaken(error: unknown): boolean {
  if (!(error instanceof FaultError) || error.code !== 'CHILD_NOT_LISTENING') return false;
  const { code, last_words: words } = error.details;
  return code !== null && Array.isArray(words) && words.some((line) => /\bEADDRINUSE\b/.test(`${line}`));
}

async function holdUdp(host: string, port: number): Promise<Holder | undefined> {
  const socket = createSocket('udp4');
  socket.bind({ address: host, port, exclusive: true });
  return (await isBound(socket)) ? socket : undefined;
}

async function holdTcp(host: string, port: number): Promise<Holder | undefined> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  return (await isBound(server)) ? server : undefined;
}

async function isBound(holder: NodeJS.EventEmitter): Promise<boolean> {
  try {
    await once(holder, 'listening');
    return true;
  } catch (error) {
    if (TAKEN.includes(codeOf(error))) return false;
    throw error;
  }
}
