import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePorts } from './free-ports.ts';

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
