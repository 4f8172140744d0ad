import { createServer, type Server } from 'node:http';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { SseStream, sseFrame } from './sse.ts';
import { SseBudget } from './sse-budget.ts';

const BOUNDS = { maxEvents: 100, maxBytes: 256 * 1024 };
let stream: SseStream;
let server: Server;
const sockets: Socket[] = [];

beforeEach(async () => {
  stream = new SseStream(BOUNDS);
  server = createServer((_request, response) => stream.attach(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  vi.useRealTimers();
  stream.end();
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function reader(): Promise<Socket> {
  const before = stream.clients;
  const { port } = server.address() as AddressInfo;
  const socket = createConnection(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await until('the reader', () => (stream.clients > before ? true : undefined), {
    budgetMs: 20_000,
    everyMs: 2,
  });
  return socket;
}
const text = (socket: Socket) => {
  const heard = { text: '' };
  socket.on('data', (chunk) => {
    heard.text += chunk;
  });
  return heard;
};

it('frames an event as its name, one line of JSON and a blank line', () => {
  expect(Buffer.from(sseFrame('message', { a: 'b\nc' })).toString()).toBe(
    'event: message\ndata: {"a":"b\\nc"}\n\n',
  );
});

it('costs a bounded amount of memory for a client that never reads, while another gets everything', async () => {
  const stalled = await reader();
  stalled.pause();
  const heard = text(await reader());
  const payload = 'x'.repeat(4_096);
  for (let sent = 0; sent < 10_000; sent += 1) {
    stream.send('message', { sent, payload });
    // The bound, one batch on its way, and what the response itself holds before it says "enough".
    if (sent % 50 === 0) {
      expect(stream.queuedBytes).toBeLessThan(2 * BOUNDS.maxBytes + 256 * 1024);
      await new Promise(setImmediate);
    }
  }
  await until('the last event', () => (heard.text.includes('"sent":9999,') ? true : undefined), {
    budgetMs: 20_000,
    everyMs: 5,
  });
  expect(stream.evictedTotal).toBeGreaterThan(1_000);
});

it('stays within the budget of all readers, however much each of them might have, and tells of every loss', async () => {
  stream = new SseStream({ maxEvents: 100_000, maxBytes: 2 ** 30 }, new SseBudget(BOUNDS.maxBytes));
  let lost = 0;
  stream.onEvicted = (events) => {
    lost += events;
  };
  for (let readers = 0; readers < 3; readers += 1) (await reader()).pause();
  for (let sent = 0; sent < 5_000; sent += 1) {
    stream.send('message', { sent, pad: 'x'.repeat(4_096) });
    // What each response holds before it says "enough" comes on top.
    expect(stream.queuedBytes).toBeLessThan(BOUNDS.maxBytes + 3 * 128 * 1024);
    if (sent % 50 === 0) await new Promise(setImmediate);
  }
  expect(lost).toBeGreaterThan(1_000);
  expect(lost).toBe(stream.evictedTotal);
});

it('keeps only the newest events of a stalled client, and hands them over when it reads again', async () => {
  const socket = await reader();
  socket.pause();
  for (let sent = 0; sent < 20_000; sent += 1) stream.send('message', { sent, pad: 'x'.repeat(1_000) });
  expect(stream.evictedTotal).toBeGreaterThan(0);
  const heard = text(socket);
  socket.resume();
  await until('the newest event', () => (heard.text.includes('"sent":19999,') ? true : undefined), {
    budgetMs: 20_000,
    everyMs: 5,
  });
});

it('sends a comment every 15 s so that a quiet stream is not taken for a dead one', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const heard = text(await reader());
  vi.advanceTimersByTime(30_000);
  vi.useRealTimers();
  await until('two pings', () => (heard.text.split(': ping\n\n').length === 3 ? true : undefined), {
    budgetMs: 20_000,
    everyMs: 2,
  });
});

it('says when its first reader comes and its last one goes', async () => {
  const audience: boolean[] = [];
  stream.onAudience = (hasReaders) => audience.push(hasReaders);
  const [first, second] = [await reader(), await reader()];
  first.destroy();
  second.destroy();
  await until('nobody', () => (stream.clients === 0 ? true : undefined), { budgetMs: 20_000, everyMs: 2 });
  expect(audience).toEqual([true, false]);
});
