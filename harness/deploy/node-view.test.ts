import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { NodeClient } from '../../node/client.ts';
import { viewNode } from './node-view.ts';

const HEALTH = {
  ok: true,
  status: 'healthy',
  version: '1.0.0',
  peers: 5,
  send_ready_peers: 5,
  uptime_secs: 3,
  boot_id: 'b',
};
const { signal } = new AbortController();

async function viewOf(answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  const client = new NodeClient({ baseUrl: `http://127.0.0.1:${port}`, token: 'x'.repeat(32) });
  try {
    return await viewNode(async () => client, signal);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

it('keeps what a node says of itself when it does not answer the rest', async () => {
  const view = await viewOf((request, response) => {
    response.statusCode = request.url === '/health' ? 200 : 404;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url === '/health' ? HEALTH : { ok: false, error: 'not found' }));
  });
  expect(view).toMatchObject({
    silent: expect.stringContaining('404'),
    claim: { status: 'healthy', peers: 5 },
  });
});

it('calls a node silent that answers nothing', async () => {
  const view = await viewOf((request) => request.socket.destroy());
  expect(view).toEqual({ silent: expect.any(String) });
});
