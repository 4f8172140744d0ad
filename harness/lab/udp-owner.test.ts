import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { freePorts } from './free-ports.ts';
import { holdsUdpPort } from './udp-owner.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

async function bind(type: 'udp4' | 'udp6', host: string): Promise<number> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' }).bind(0, host);
  sockets.push(socket);
  await once(socket, 'listening');
  return socket.address().port;
}

describe.skipIf(process.platform !== 'linux')('who holds a UDP port', () => {
  it.for([
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const)('is seen for %s', async ([type, host]) => {
    expect(await holdsUdpPort(process.pid, await bind(type, host))).toEqual({ seen: true });
  });

  it('is not a process that only says so: another one, or none', async () => {
    const port = await bind('udp4', '127.0.0.1');
    expect(await holdsUdpPort(process.ppid, port)).toEqual({ seen: false });
    const [free = 0] = await freePorts('udp', '127.0.0.1', 1);
    expect(await holdsUdpPort(process.pid, free)).toEqual({ seen: false });
  });

  it('cannot be read of a process that is gone', async () => {
    expect(await holdsUdpPort(2 ** 22 + 1, 1)).toMatchObject({ missing: 'unreadable' });
  });
});
