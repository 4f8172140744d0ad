import { readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OWN_AGENT, startFakeApi } from './fake-rooms.ts';

type FakeApi = Awaited<ReturnType<typeof startFakeApi>>;
let node: FakeApi;
let token: string;

beforeEach(async () => {
  node = await startFakeApi();
  token = await readFile(join(node.dataDir, 'api-token'), 'utf8');
});
afterEach(async () => {
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
