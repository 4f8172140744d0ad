import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
