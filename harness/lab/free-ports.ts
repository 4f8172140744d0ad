import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/**
 * `count` UDP ports of `host` that were free just now. All are held until the last is found, so they are distinct;
 * another process may still take one before it is used, and the bind of its user then says so.
 */
export async function freeUdpPorts(host: string, count: number): Promise<readonly number[]> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'));
  try {
    return await Promise.all(
      sockets.map(async (socket) => {
        socket.bind(0, host);
        await once(socket, 'listening');
        return socket.address().port;
      }),
    );
  } finally {
    for (const socket of sockets) socket.close();
  }
}
