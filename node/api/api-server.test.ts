import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { type DirectEvent, NodeClient, type TopicEvent } from '../client.ts';
import { ApiServer } from './api-server.ts';
import { fakeLink, OWN_AGENT, OWN_MACHINE, startFakeApi } from './fake-rooms.ts';
import { DOCUMENT_BODIES, DOCUMENT_PATHS } from './schema/documents.ts';
import {
  agentBodySchema,
  healthBodySchema,
  networkStatusBodySchema,
  peersBodySchema,
  statusBodySchema,
} from './schema/status.ts';

type FakeApi = Awaited<ReturnType<typeof startFakeApi>>;
let node: FakeApi;
let token: string;
let client: NodeClient;

beforeEach(async () => {
  node = await startFakeApi();
  token = await readFile(join(node.dataDir, 'api-token'), 'utf8');
  client = new NodeClient({ baseUrl: node.baseUrl, token, timeoutMs: 5_000 });
});
afterEach(async () => {
  await client.close();
  await node.stop();
});

const authorized = () => ({ authorization: `Bearer ${token}` });
const get = (path: string, headers: Record<string, string> = authorized()) =>
  fetch(node.baseUrl + path, { headers });
const post = (path: string, body: string) =>
  fetch(node.baseUrl + path, {
    method: 'POST',
    body,
    headers: { ...authorized(), 'content-type': 'application/json' },
  });

/** Keeps reading a stream into a list. */
function collect<T>(stream: AsyncIterable<T>): T[] {
  const seen: T[] = [];
  void (async () => {
    for await (const event of stream) seen.push(event);
  })().catch(() => {}); // the stream ends with its client
  return seen;
}
const atLeast = (list: readonly unknown[], count: number) =>
  until(`${count} events`, () => (list.length >= count ? true : undefined), { budgetMs: 5_000, everyMs: 5 });

describe('the token', () => {
  it('is 64 hex characters in a private file, and the same after a restart', async () => {
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(join(node.dataDir, 'api-token'))).mode & 0o777).toBe(0o600);
    await node.api.stop();
    const again = await startFakeApi({ dataDir: node.dataDir });
    expect(await readFile(join(node.dataDir, 'api-token'), 'utf8')).toBe(token);
    await again.stop();
  });

  it.each([
    ['none', {}],
    ['a wrong one', { authorization: `Bearer ${'0'.repeat(64)}` }],
    ['a prefix of it', { authorization: 'Bearer ab' }],
    ['another scheme', { authorization: 'Basic abc' }],
  ])('is demanded with the exact 401 body: %s', async (_what, headers) => {
    const response = await get('/agent', headers);
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('{"error":"missing or invalid Authorization: Bearer token"}');
    expect((await get('/no-such-place', headers)).status).toBe(401);
  });

  it('is not needed for /health', async () => {
    const response = await get('/health', {});
    expect(response.status).toBe(200);
    expect(healthBodySchema.parse(await response.json())).toMatchObject({
      ok: true,
      status: 'healthy',
      peers: 0,
    });
  });

  it('counts refusals', async () => {
    await get('/agent', {});
    expect(node.api.stats().unauthorizedTotal).toBe(1);
  });
});

it('writes where it listens into api.port, and takes the file away when it stops', async () => {
  expect(`http://${await readFile(join(node.dataDir, 'api.port'), 'utf8')}`).toBe(node.baseUrl);
  await node.api.stop();
  await expect(stat(join(node.dataDir, 'api.port'))).rejects.toMatchObject({ code: 'ENOENT' });
});

describe('binding', () => {
  it.each(['0.0.0.0', '::', 'localhost', '10.0.0.1', '127.0.0.1.example.org'])('refuses %s', async (host) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'meshproof-api-'));
    const api = new ApiServer({ bind: { host, port: 0 }, dataDir, log: { warn() {} } }, {
      facts: { agentId: OWN_AGENT },
    } as never);
    await expect(api.start()).rejects.toMatchObject({ code: 'API_NOT_LOOPBACK' });
    await rm(dataDir, { recursive: true });
  });
});

it('serves every status body in its exact shape', async () => {
  node.transport.live.push(fakeLink('peer'));
  const read = async (path: string) => (await get(path)).json();
  expect(agentBodySchema.parse(await read('/agent'))).toMatchObject({
    agent_id: OWN_AGENT,
    machine_id: OWN_MACHINE,
  });
  expect(statusBodySchema.parse(await read('/status'))).toMatchObject({
    status: 'connected',
    udp_address: '127.0.0.1:5483',
    api_address: node.baseUrl.slice('http://'.length),
  });
  expect(peersBodySchema.parse(await read('/peers')).peers).toHaveLength(1);
  networkStatusBodySchema.parse(await read('/network/status'));
  expect(await read('/direct/connections')).toEqual({
    ok: true,
    connections: [{ agent_id: fakeLink('peer').agentId, machine_id: fakeLink('peer').peerId }],
  });
});

it.each(['ack', 'connectivity', 'dm', 'transport', 'runtime', 'health'] as const)(
  'serves the %s document in its exact shape before there is any peer',
  async (name) => {
    const body = await (await get(DOCUMENT_PATHS[name])).json();
    expect(DOCUMENT_BODIES[name].parse(body)).toMatchObject({ ok: true, boot_id: 'boot', uptime_secs: 1 });
  },
);

describe('errors', () => {
  it.each([
    ['/publish', '{"topic": "t", ', 400, 'the body is not JSON'],
    ['/publish', '{"topic":"","payload":""}', 400, 'topic: topic must not be empty'],
    ['/publish', '{"topic":"t","payload":"abc"}', 400, 'payload: expected standard base64 with padding'],
    ['/publish', '', 400, expect.stringMatching(/^topic: /)],
    ['/publish', 'null', 400, expect.any(String)],
    ['/subscribe', '{}', 400, expect.stringMatching(/^topic: /)],
    ['/direct/send', '{"agent_id":"12","payload":""}', 400, expect.stringMatching(/^agent_id: /)],
    ['/no/such/place', '{}', 404, 'no such endpoint: POST /no/such/place'],
    [
      '/direct/send',
      JSON.stringify({ agent_id: OWN_AGENT, payload: '', require_gossip_ack: true }),
      400,
      'require_gossip_ack_removed',
    ],
    [
      '/direct/send',
      JSON.stringify({ agent_id: OWN_AGENT, payload: '', logical_id: 'Not Allowed' }),
      400,
      'invalid_logical_id',
    ],
  ])('of POST %s %s are JSON', async (path, body, status, error) => {
    const response = await post(path, body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toMatchObject({ ok: false, error });
  });

  it('say payload_too_large, without reading on, when a body is larger than any message may be', async () => {
    const response = await post(
      '/publish',
      JSON.stringify({ topic: 't', payload: 'A'.repeat(24 * 1024 * 1024) }),
    );
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({ ok: false, error: 'payload_too_large' });
  });

  it('answer what is not HTTP, and what is not a URL, with JSON', async () => {
    expect((await get('/%E0%A4%A')).status).toBe(400);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = createConnection(Number(new URL(node.baseUrl).port), '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => resolve(text)).on('error', reject);
      socket.write('\0\0 not http\r\n\r\n');
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ ok: false });
  });
});

describe('publish and subscribe', () => {
  it('give exactly one event per subscription, and none after it was deleted', async () => {
    const events = collect<TopicEvent>(await client.events());
    const [first, second] = [await client.subscribe('weather'), await client.subscribe('weather')];
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    await client.publish('weather', Buffer.from('rain'));
    await atLeast(events, 2);
    expect(
      events.map(({ data }) => 'data' in data && 'subscription_id' in data.data && data.data.subscription_id),
    ).toEqual([first, second]);
    await client.unsubscribe(first);
    await client.publish('weather', Buffer.from('sun'));
    await client.unsubscribe(second);
    await client.publish('weather', Buffer.from('snow'));
    const marker = await client.subscribe('marker');
    await client.publish('marker', Buffer.from('end'));
    await atLeast(events, 4);
    expect(
      events.slice(2).map(({ data }) => ('subscription_id' in data.data ? data.data.subscription_id : null)),
    ).toEqual([second, marker]);
    expect(events[0]).toMatchObject({
      event: 'message',
      data: { type: 'message', data: { topic: 'weather', sender: OWN_AGENT, verified: true } },
    });
  });

  it('answer 404 for a subscription that is not there', async () => {
    await expect(client.unsubscribe('0'.repeat(16))).rejects.toMatchObject({
      code: 'NODE_HTTP_ERROR',
      status: 404,
    });
  });
});

const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
const payloads: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', new Uint8Array()],
  ['every byte value', everyByte],
  ['49152 bytes', Buffer.alloc(49_152, everyByte)],
  ['1 MiB', Buffer.alloc(1_048_576, everyByte)],
];

describe('direct messages', () => {
  it.each(payloads)('to ourselves come back byte for byte: %s', async (_what, payload) => {
    const events = collect<DirectEvent>(await client.directEvents());
    const receipt = await client.directSend({ agent_id: OWN_AGENT, payload });
    expect(receipt).toMatchObject({ ok: true, path: 'loopback', retries_used: 0, require_ack: null });
    await atLeast(events, 1);
    expect(events[0]?.data).toMatchObject({ sender: OWN_AGENT, machine_id: OWN_MACHINE, verified: true });
    expect(Buffer.from(events[0]?.data.payload ?? '', 'base64').equals(payload)).toBe(true);
  });

  it.each(payloads)('and topics carry the same bytes: %s', async (_what, payload) => {
    const events = collect<TopicEvent>(await client.events());
    await client.subscribe('bytes');
    await client.publish('bytes', payload);
    await atLeast(events, 1);
    const data = events[0]?.data.data;
    expect(
      data !== undefined && 'payload' in data && Buffer.from(data.payload, 'base64').equals(payload),
    ).toBe(true);
  });

  it('to an agent that nobody knows are 404 recipient_key_unavailable', async () => {
    const sending = client.directSend({
      agent_id: sha256Hex('stranger'),
      payload: everyByte,
      raw_quic_receive_ack_ms: 100,
    });
    await expect(sending).rejects.toMatchObject({ status: 404, error: 'recipient_key_unavailable' });
  });

  it('wait for the first reader of /direct/events instead of being lost', async () => {
    await client.directSend({ agent_id: OWN_AGENT, payload: everyByte });
    const events = collect<DirectEvent>(await client.directEvents());
    await atLeast(events, 1);
  });
});

it('tells of links on /peers/events and /events', async () => {
  const peers = collect(await client.peerEvents());
  const events = collect(await client.events());
  const link = fakeLink('peer');
  for (const event of ['Established', 'Closing', 'Closed'] as const) {
    for (const listener of node.transport.listeners)
      listener({ event, link, atUnixMs: 1_700_000_000_000, reason: null });
  }
  await atLeast(peers, 3);
  expect(peers[0]).toEqual({
    event: 'peer-lifecycle',
    data: { peer_id: link.peerId, event: 'Established', at_ms: 1_700_000_000_000 },
  });
  await atLeast(events, 2);
  expect(events.map(({ event }) => event)).toEqual(['peer:connected', 'peer:disconnected']);
});

it('answers a shutdown before it is asked of the node', async () => {
  await client.shutdown();
  await until('the request', () => (node.asked.shutdowns === 1 ? true : undefined), {
    budgetMs: 2_000,
    everyMs: 5,
  });
});

it('ends event streams when it stops', async () => {
  const stream = await client.events();
  const ended = (async () => {
    for await (const _ of stream);
  })().then(
    () => 'ended',
    () => 'ended',
  );
  await node.api.stop();
  expect(await ended).toBe('ended');
});
