import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeClient } from '../../node/client.ts';
import { freePorts } from '../lab/free-ports.ts';
import { sshdMissing, TestSshd } from './fixture-sshd.ts';
import { httpOverHost } from './http-over-host.ts';
import type { SshHost } from './ssh-host.ts';

const missing = sshdMissing();
const PUBLISHED = JSON.stringify({ ok: true, message_id: 'ab' });

describe.skipIf(missing !== null)(
  `HTTP through a host${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let sshd: TestSshd;
    let host: SshHost;

    beforeAll(async () => {
      sshd = await TestSshd.start();
      host = await sshd.host();
    });
    afterAll(async () => {
      await host?.close();
      await sshd?.[Symbol.asyncDispose]();
    });

    it('reaches the API of a node, many calls over two tunnels', async () => {
      await using api = await serve((request, response) => {
        request.resume().once('end', () => response.end(PUBLISHED));
      });
      const client = clientOf(host, api.port);
      const payload = Buffer.alloc(300_000, 7);
      const ids = await Promise.all(Array.from({ length: 20 }, () => client.publish('t', payload)));
      expect(new Set(ids)).toEqual(new Set(['ab']));
      expect(api.connections()).toBeLessThanOrEqual(2);
      await client.close();
    });

    it('keeps an event stream open beside other calls', async () => {
      await using api = await serve((request, response) => {
        if (request.url !== '/peers/events') return response.end(PUBLISHED);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`event: peer-lifecycle\ndata: ${'not one we know'.length}\n\n`);
      });
      const client = clientOf(host, api.port);
      const stream = await client.peerEvents();
      expect(await client.publish('t', Buffer.from('x'))).toBe('ab');
      expect(stream).toBeDefined();
      await client.close();
    });

    it('blames the node when nothing listens at its port', async () => {
      const [port = 0] = await freePorts('tcp', '127.0.0.1', 1);
      const client = clientOf(host, port);
      await expect(client.health()).rejects.toMatchObject({
        code: 'NODE_UNREACHABLE',
        details: expect.objectContaining({ reason: 'ECONNREFUSED' }),
      });
      await client.close();
    });

    it('blames the way there when the host is lost under a call, whatever had been answered', async () => {
      await using other = await TestSshd.start();
      const lost = await other.host();
      await using api = await serve((request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"ok":');
        if (request.url === '/health') void other.stop();
      });
      const client = clientOf(lost, api.port);
      await expect(client.health()).rejects.toMatchObject({ code: 'HOST_LOST', host: 'alpha' });
      await expect(client.health({ timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
      await client.close();
      await lost.close();
    });
  },
);

function clientOf(host: SshHost, port: number): NodeClient {
  return new NodeClient({
    baseUrl: `http://127.0.0.1:${port}`,
    token: 't',
    tunnel: httpOverHost(host, port),
  });
}

async function serve(listener: RequestListener) {
  let connections = 0;
  const server = createServer(listener).listen(0, '127.0.0.1');
  server.on('connection', () => {
    connections += 1;
  });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
