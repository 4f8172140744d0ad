import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NodeClient } from './client.ts';

const HEX = 'ab'.repeat(32);
const HEALTH = {
  ok: true,
  status: 'healthy',
  version: '1.2.3',
  peers: 5,
  send_ready_peers: 5,
  uptime_secs: 7,
  boot_id: 'boot',
};
const servers: Server[] = [];
const clients: NodeClient[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const client of clients.splice(0)) await client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A client of a server that answers with `listener`. */
async function clientOf(listener: RequestListener): Promise<NodeClient> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return newClient(`http://127.0.0.1:${port}`);
}
function newClient(baseUrl: string): NodeClient {
  const client = new NodeClient({ baseUrl, token: 'secret', timeoutMs: 20_000 });
  clients.push(client);
  return client;
}
async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
const answering = (body: string | Uint8Array, status = 200) =>
  clientOf((_request, response) => response.writeHead(status).end(body));

describe('a document', () => {
  it('comes parsed, and as the exact text', async () => {
    const text = `  ${JSON.stringify(HEALTH, null, 3)}\n`;
    const document = await (await answering(text)).document('health');
    expect(document).toEqual({ name: 'health', body: HEALTH, text });
  });

  it('of a node that tells more than we know is read without the surplus', async () => {
    const ack = {
      ok: true,
      boot_id: 'boot',
      uptime_secs: 1,
      surplus: 1,
      ack: { generated_at_unix_ms: 1, retention_minutes: 15, peers: [], more: { deep: true } },
    };
    const { body, text } = await (await answering(JSON.stringify(ack))).document('ack');
    expect(body.ack).toEqual({ generated_at_unix_ms: 1, retention_minutes: 15, peers: [] });
    expect(text).toContain('surplus');
  });

  it.each([
    ['without a key', { ...HEALTH, peers: undefined }, 'peers'],
    ['with null for a number', { ...HEALTH, peers: null }, 'peers'],
    ['with a negative counter', { ...HEALTH, peers: -1 }, 'peers'],
    ['that says it is not ok', { ...HEALTH, ok: false }, 'ok'],
  ])('%s is a bad body that names the field', async (_what, body, field) => {
    await expect((await answering(JSON.stringify(body))).document('health')).rejects.toMatchObject({
      code: 'NODE_BAD_BODY',
      details: { call: 'GET /health', field },
    });
  });

  it.each([
    ['text', 'garbage'],
    ['nothing', ''],
    ['half of it', JSON.stringify(HEALTH).slice(0, 40)],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]),
    ],
  ])('that is %s is a bad body', async (_what, body) => {
    await expect((await answering(body)).document('health')).rejects.toMatchObject({ code: 'NODE_BAD_BODY' });
  });
});

describe('an error', () => {
  it('of the node carries its status, its code and the rest of its body', async () => {
    const client = await answering(
      '{"ok":false,"error":"timeout","elapsed_ms":8000,"budget_stage":"retry"}',
      504,
    );
    await expect(client.directSend({ agent_id: HEX, payload: new Uint8Array() })).rejects.toMatchObject({
      code: 'NODE_HTTP_ERROR',
      status: 504,
      error: 'timeout',
      details: { body: { elapsed_ms: 8_000, budget_stage: 'retry' } },
    });
  });

  it('that is no JSON keeps what was said', async () => {
    await expect((await answering('<h1>no</h1>', 500)).health()).rejects.toMatchObject({
      code: 'NODE_HTTP_ERROR',
      status: 500,
      error: '<h1>no</h1>',
    });
  });

  it('names a node that nobody answers for', async () => {
    await expect(newClient('http://127.0.0.1:1').health()).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      details: { reason: 'ECONNREFUSED' },
    });
  });

  it('names a node that hangs up in the middle', async () => {
    const client = await clientOf((_request, response) => {
      response.writeHead(200, { 'content-length': 1_000 });
      response.write('{"ok":');
      response.flushHeaders();
      setImmediate(() => response.destroy());
    });
    await expect(client.health()).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
  });

  it('names a node that does not answer within the deadline of the call', async () => {
    const client = await clientOf(() => {});
    await expect(client.health({ timeoutMs: 50 })).rejects.toMatchObject({
      code: 'NODE_TIMEOUT',
      details: { call: 'GET /health', budget_ms: 50 },
    });
  });

  it('names a node that never finishes its body', async () => {
    const client = await clientOf((_request, response) => response.write('{"ok":true'));
    await expect(client.document('health', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'NODE_TIMEOUT',
    });
  });

  it('is the reason of the caller when the caller gives up', async () => {
    const client = await clientOf(() => {});
    const stop = new AbortController();
    const reason = new Error('enough');
    const asking = client.health({ signal: stop.signal });
    stop.abort(reason);
    await expect(asking).rejects.toBe(reason);
  });
});

describe('an event stream', () => {
  const lifecycle = (event: string) =>
    `event: peer-lifecycle\ndata: ${JSON.stringify({ peer_id: HEX, event, at_ms: 1 })}\n\n`;
  const streaming = (...chunks: readonly string[]) =>
    clientOf((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const chunk of chunks) response.write(chunk);
      response.end();
    });

  it('gives each event however the bytes are cut, and passes over comments and unknown events', async () => {
    const whole = `: ping\n\n${lifecycle('Established')}event: news\ndata: {}\n\n${lifecycle('Closed')}`;
    const client = await streaming(...(whole.match(/[\s\S]{1,7}/g) ?? []));
    const seen = await all(await client.peerEvents());
    expect(seen.map(({ data }) => data.event)).toEqual(['Established', 'Closed']);
  });

  it('ends with a bad body when a known event does not fit', async () => {
    const client = await streaming(lifecycle('Married'));
    await expect(all(await client.peerEvents())).rejects.toMatchObject({
      code: 'NODE_BAD_BODY',
      details: { field: 'event' },
    });
  });

  it('rejects to open when the token is refused', async () => {
    const client = await answering('{"error":"missing or invalid Authorization: Bearer token"}', 401);
    await expect(client.events()).rejects.toMatchObject({ code: 'NODE_HTTP_ERROR', status: 401 });
  });

  it('rejects to open when nobody answers within the deadline', async () => {
    const client = await clientOf(() => {});
    await expect(client.events({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'NODE_TIMEOUT' });
  });

  it('outlives the deadline of its opening, and ends with the reason of the caller', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const opened = Promise.withResolvers<ServerResponse>();
    const client = await clientOf((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      opened.resolve(response);
    });
    const stop = new AbortController();
    const stream = await client.peerEvents({ timeoutMs: 60, signal: stop.signal });
    vi.advanceTimersByTime(120);
    (await opened.promise).write(lifecycle('Established'));
    const reason = new Error('enough');
    const reading = (async () => {
      for await (const { data } of stream) if (data.event === 'Established') stop.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });
});
