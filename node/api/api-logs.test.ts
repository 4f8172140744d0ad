import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NodeClient } from '../client.ts';
import { startFakeApi } from './fake-rooms.ts';
import { appendLogBodySchema, logHeadBodySchema, logsBodySchema } from './schema/log.ts';

let node: Awaited<ReturnType<typeof startFakeApi>>;
let client: NodeClient;
let headers: Record<string, string>;

beforeEach(async () => {
  node = await startFakeApi();
  const token = await readFile(join(node.dataDir, 'api-token'), 'utf8');
  headers = { authorization: `Bearer ${token}` };
  client = new NodeClient({ baseUrl: node.baseUrl, token });
});
afterEach(async () => {
  await client.close();
  await node.stop();
});
const strict = async (path: string, init: RequestInit = {}) =>
  (await fetch(node.baseUrl + path, { ...init, headers })).json();

it('appends entries, and tells height and head of a topic whatever its name', async () => {
  for (const topic of ['t', 'with / slash', '100 %', 'ü'.repeat(128)]) {
    const empty = await client.logHead(topic);
    expect(empty).toMatchObject({ ok: true, topic, height: 0, origins: [] });
    const first = await client.appendLog(topic, Buffer.from('one'));
    const second = await client.appendLog(topic, Buffer.from('two'));
    expect([first.seq, second.seq, first.height, second.height]).toEqual([1, 2, 1, 2]);
    const head = await client.logHead(topic);
    expect(head).toMatchObject({ height: 2, head_hash: second.head_hash, origins: [{ seq: 2 }] });
    expect(new Set([empty.head_hash, first.head_hash, second.head_hash]).size).toBe(3);
  }
});

it('gives bodies that are exactly those of the schemas', async () => {
  const body = JSON.stringify({ payload: 'AA==' });
  appendLogBodySchema.parse(await strict('/logs/t/entries', { method: 'POST', body }));
  expect(logHeadBodySchema.parse(await strict('/logs/t')).origins).toMatchObject([{ seq: 1 }]);
  expect(logsBodySchema.parse(await strict('/logs'))).toMatchObject({ topics: [{ topic: 't', height: 1 }] });
});

it.each([
  [400, 'topic_invalid', 'local:t', new Uint8Array(1)],
  [400, 'topic_invalid', 'x'.repeat(257), new Uint8Array(1)],
  [413, 'payload_too_large', 't', new Uint8Array(65_537)],
  [507, 'log_full', 'full', new Uint8Array(1)],
] as const)('refuses with %i %s what it cannot take', async (status, error, topic, payload) => {
  for (let nth = 0; nth < 4; nth += 1) await client.appendLog('full', Buffer.from(`${nth}`));
  await expect(client.appendLog(topic, payload)).rejects.toMatchObject({
    details: { status },
    message: expect.stringContaining(error),
  });
});
