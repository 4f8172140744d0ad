import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { FaultError } from '../../kit/errors.ts';
import { MeshChild } from './child-process.ts';
import { foundPortTaken, freePorts } from './free-ports.ts';

const never = new AbortController().signal;
const HOST = '127.0.0.1';
const FREE = `${HOST}:0`;
const NODE = join(import.meta.dirname, '../../node/main.ts');

describe('free ports', () => {
  it.for(['udp', 'tcp'] as const)(
    'for %s are distinct, below those that kernels hand out, and can be bound',
    async (protocol) => {
      const ports = await freePorts(protocol, '127.0.0.1', 20);
      expect(new Set(ports).size).toBe(20);
      for (const port of ports) {
        expect(port).toBeLessThan(32_768);
        const holder =
          protocol === 'udp'
            ? createSocket('udp4').bind(port, '127.0.0.1')
            : createServer().listen(port, '127.0.0.1');
        await once(holder, 'listening');
        holder.close();
      }
    },
  );

  it('of an address that is not ours are an error', async () => {
    await expect(freePorts('udp', '192.0.2.1', 2)).rejects.toThrow(/EADDRNOTAVAIL/);
  });
});

describe('a port that another program took', () => {
  it.each(['bind_address', 'api_address'])('is told by a node whose %s it is', async (key) => {
    const home = await mkdtemp(join(tmpdir(), 'meshproof-ports-'));
    const taken =
      key === 'bind_address' ? createSocket('udp4').bind(0, HOST) : createServer().listen(0, HOST);
    await once(taken, 'listening');
    const bound = taken.address();
    const port = typeof bound === 'object' ? bound?.port : undefined;
    const config = { bind_address: FREE, api_address: FREE, data_dir: 'data', [key]: `${HOST}:${port}` };
    await writeFile(join(home, 'node.toml'), stringify(config));
    const node = new MeshChild('node of a', [NODE, '--config', join(home, 'node.toml')]);
    const failure = await node.listening(20_000, never).catch((error: unknown) => error);
    taken.close();
    await rm(home, { recursive: true });
    expect(failure).toMatchObject({ code: 'CHILD_NOT_LISTENING' });
    expect(foundPortTaken(failure)).toBe(true);
  });

  it('is not what else keeps a program from listening', () => {
    const notListening = (last_words: readonly string[]) =>
      new FaultError('CHILD_NOT_LISTENING', 'ended', { details: { code: 5, signal: null, last_words } });
    expect(foundPortTaken(notListening(['bind EADDRINUSE 127.0.0.1:20000']))).toBe(true);
    expect(foundPortTaken(notListening(['no disk left']))).toBe(false);
    expect(foundPortTaken(new Error('bind EADDRINUSE 127.0.0.1:20000'))).toBe(false);
  });
});
