import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { until, withinBudget } from '../kit/deadline.ts';
import { LIFELINE_FD } from '../kit/lifeline.ts';
import { NodeClient } from './client.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const listeningSchema = z.object({
  event: z.literal('listening'),
  udp: z.string(),
  api: z.string(),
  signing: z.enum(['native', 'noble']),
  agent: z.string().regex(/^[0-9a-f]{64}$/),
  machine: z.string().regex(/^[0-9a-f]{64}$/),
});

let dir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshproof-main-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

/** Starts the program and gathers what it writes. */
function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, [LIFELINE_FD]: '3' },
  });
  children.push(child);
  const said = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    said.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    said.err += chunk;
  });
  const closed = once(child, 'close').then(([code]) => ({ code: Number(code), ...said }));
  return { child, said, ended: () => withinBudget('the end of the program', 40_000, () => closed) };
}

async function configFile(keys: Record<string, string>): Promise<string> {
  const file = join(dir, 'node.toml');
  const defaults = { data_dir: join(dir, 'data'), bind_address: '127.0.0.1:0', api_address: '127.0.0.1:0' };
  const lines = Object.entries({ ...defaults, ...keys }).map(
    ([key, value]) => `${key} = ${JSON.stringify(value)}`,
  );
  await writeFile(file, lines.join('\n'));
  return file;
}

async function startListening(keys: Record<string, string> = {}) {
  const program = start('--config', await configFile(keys), '--json');
  const line = await until(
    'the listening line',
    () => (program.said.out.includes('\n') || program.child.exitCode !== null ? program.said.out : undefined),
    { budgetMs: 40_000, everyMs: 20 },
  );
  return { ...program, listening: listeningSchema.parse(JSON.parse(line)) };
}

describe('a node that cannot start says why in one line', () => {
  const cases: readonly (readonly [string, () => Promise<readonly string[]>, number, RegExp])[] = [
    ['without a configuration', async () => [], 64, /--config FILE is missing/],
    ['with an unknown flag', async () => ['--confg', 'x'], 64, /--confg/],
    [
      'with a file that is not there',
      async () => ['--config', join(dir, 'no.toml')],
      64,
      /no\.toml: .*ENOENT/,
    ],
    [
      'with an unknown key',
      async () => ['--config', await configFile({ nope: 'x' })],
      64,
      /node\.toml: nope: is not a known key/,
    ],
    [
      'with a data directory that cannot be made',
      async () => {
        await writeFile(join(dir, 'file'), '');
        return ['--config', await configFile({ data_dir: join(dir, 'file', 'data') })];
      },
      5,
      /cannot write the data directory .*file\/data: ENOTDIR/,
    ],
  ];

  it.each(cases)('%s', async (_what, args, code, message) => {
    const { code: ended, out, err } = await start(...(await args())).ended();
    expect({ ended, out }).toEqual({ ended: code, out: '' });
    expect(err).toMatch(message);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  it('when its UDP port is taken', async () => {
    const taken = createSocket('udp4').bind(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = `127.0.0.1:${taken.address().port}`;
    const { code, out, err } = await start('--config', await configFile({ bind_address: address })).ended();
    taken.close();
    expect({ code, out }).toEqual({ code: 5, out: '' });
    expect(err).toContain(address);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  it('when its API port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const bound = taken.address();
    const address = `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : ''}`;
    const { code, out, err } = await start('--config', await configFile({ api_address: address })).ended();
    taken.close();
    expect({ code, out }).toEqual({ code: 5, out: '' });
    expect(err).toContain(`cannot bind the API to ${address}: EADDRINUSE`);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('a node that listens', () => {
  it('says so in one line, keeps its keys private, and ends with 0 on SIGTERM', async () => {
    const { child, ended, listening } = await startListening();
    expect(await readFile(join(dir, 'data', 'api.port'), 'utf8')).toBe(listening.api);
    for (const key of ['machine.key', 'agent.key', 'api-token']) {
      expect((await stat(join(dir, 'data', key))).mode & 0o777).toBe(0o600);
    }
    child.kill('SIGTERM');
    const { code, out, err } = await ended();
    expect({ code, err }).toEqual({ code: 0, err: '' }); // another code when it does not end within its promise of 5 s
    expect(out.trimEnd().split('\n')).toHaveLength(1);
    await expect(stat(join(dir, 'data', 'api.port'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'can be ended by %s and started again at once on the same ports, with clients still attached',
    async (signal) => {
      const first = await startListening();
      const ports = { api_address: first.listening.api, bind_address: first.listening.udp };
      const token = await readFile(join(dir, 'data', 'api-token'), 'utf8');
      const client = new NodeClient({ baseUrl: `http://${first.listening.api}`, token });
      let running = first;
      for (let round = 0; round < 3; round += 1) {
        await client.peerEvents();
        await client.health();
        running.child.kill(signal);
        await running.ended();
        running = await startListening(ports);
        expect(running.said.err).toBe('');
        expect(running.listening).toMatchObject({ api: ports.api_address, udp: ports.bind_address });
      }
      await client.close();
    },
    120_000,
  );

  it('ends when the process that started it is gone', async () => {
    const { child, ended } = await startListening();
    child.stdio[3]?.destroy();
    expect((await ended()).code).toBe(0);
  });

  it('ends when a client asks it to, and not before it has answered', async () => {
    const { ended, listening } = await startListening();
    const token = await readFile(join(dir, 'data', 'api-token'), 'utf8');
    const client = new NodeClient({ baseUrl: `http://${listening.api}`, token });
    await client.shutdown();
    await client.close();
    expect((await ended()).code).toBe(0);
  });
});
