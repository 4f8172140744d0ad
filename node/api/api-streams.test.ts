import { readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { type DirectEvent, NodeClient, type TopicEvent } from '../client.ts';
import { fakeLink, OWN_AGENT, OWN_MACHINE, startFakeApi } from './fake-rooms.ts';
import { SSE_BOUNDS } from './sse-queue.ts';

type FakeApi = Awaited<ReturnType<typeof startFakeApi>>;
let node: FakeApi;
let token: string;
let client: NodeClient;

beforeEach(async () => {
  node = await startFakeApi();
  token = await readFile(join(node.dataDir, 'api-token'), 'utf8');
  client = new NodeClient({ baseUrl: node.baseUrl, token, timeoutMs: 20_000 });
});
afterEach(async () => {
  await client.close();
  await node.stop();
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
  until(`${count} events`, () => (list.length >= count ? true : undefined), { budgetMs: 20_000, everyMs: 5 });

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

it('a reader that stalls costs bounded memory, and what it loses is counted where operators look', async () => {
  const socket = createConnection(Number(new URL(node.baseUrl).port), '127.0.0.1');
  socket.on('error', () => {}).pause();
  socket.write(`GET /events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n\r\n`);
  await client.subscribe('flood');
  await until('the reader', () => (node.api.stats().sseClients === 1 ? true : undefined), {
    budgetMs: 20_000,
    everyMs: 5,
  });
  const payload = Buffer.alloc(64 * 1024, 7);
  for (let sent = 0; sent < 600; sent += 1) await node.pubsub.publish('flood', payload);
  const { sseQueuedBytes, sseEventsEvictedTotal } = node.api.stats();
  expect(sseQueuedBytes).toBeLessThan(2 * SSE_BOUNDS.maxBytes);
  expect(sseEventsEvictedTotal).toBeGreaterThan(0);
  expect(node.pubsub.slowDrops).toBe(sseEventsEvictedTotal);
  socket.destroy();
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
    data: { peer_id: link.peerId, event: 'Established', at_ms: 1_700_000_000_000, reason: null },
  });
  await atLeast(events, 2);
  expect(events.map(({ event }) => event)).toEqual(['peer:connected', 'peer:disconnected']);
});

it('answers a shutdown before it is asked of the node', async () => {
  await client.shutdown();
  await until('the request', () => (node.asked.shutdowns === 1 ? true : undefined), {
    budgetMs: 20_000,
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
