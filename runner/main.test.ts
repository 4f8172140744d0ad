import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIFELINE_FD } from '../kit/lifeline.ts';

const KEY = Buffer.alloc(1_952, 7).toString('base64');
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'meshproof-runner-'));
  writeFileSync(join(home, 'api-token'), 't'.repeat(64));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function configFile(change: Record<string, unknown> = {}): string {
  const path = join(home, 'runner.toml');
  const config = {
    node_name: 'nyc',
    api_base: 'http://127.0.0.1:9',
    api_token_path: 'api-token',
    control_address: '127.0.0.1:0',
    control_token_path: 'control-token',
    operator_keys: [KEY],
    data_dir: 'data',
    ...change,
  };
  writeFileSync(path, stringify(config));
  return path;
}

function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, [LIFELINE_FD]: '3' },
  });
  const said = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    said.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    said.err += chunk;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, ...said }));
  });
  return { child, said, ended };
}

/** Just enough of a node for a runner to attach to. */
async function bareNode() {
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/events')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': ping\n\n');
      return;
    }
    const id = 'a'.repeat(64);
    const agent = { ok: true, agent_id: id, machine_id: id, user_id: null, kem_public_key_b64: null };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(agent));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { api_base: `http://127.0.0.1:${port}`, close };
}

describe('the runner program', () => {
  it.each([
    ['a missing flag', () => [], '--config FILE is missing; usage:'],
    ['a bad value', () => ['--config', configFile({ control_address: '0.0.0.0:1' })], 'control_address'],
  ])('ends with 64 and one line on %s', async (_what, args, words) => {
    const { code, out, err } = await start(...args()).ended;
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(words);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  it('ends with 5 and one line when it cannot write its data directory', async () => {
    const { code, err } = await start('--config', configFile({ data_dir: 'api-token/below' })).ended;
    expect({ code, lines: err.trimEnd().split('\n').length }).toEqual({ code: 5, lines: 1 });
    expect(err).toContain('data_dir');
  });

  it('says where it listens, and stops on SIGTERM', async () => {
    const node = await bareNode();
    try {
      const { child, said, ended } = start('--config', configFile({ api_base: node.api_base }));
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      expect(said.out).toMatch(/^listening control=127\.0\.0\.1:[1-9]\d*\n$/);
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    } finally {
      node.close();
    }
  });

  it('ends when its parent is gone, and when it was told to while it still looks for its node', async () => {
    const node = await bareNode();
    try {
      const { child, ended } = start('--config', configFile({ api_base: node.api_base }));
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      child.stdio[3]?.destroy();
      expect((await ended).code).toBe(0);
    } finally {
      node.close();
    }
    const searching = start('--config', configFile({ log_level: 'warn' }));
    await new Promise((resolve) => searching.child.stderr?.once('data', resolve));
    searching.child.kill('SIGTERM');
    expect((await searching.ended).code).toBe(0);
  });

  it('ends with 5 and one line when another program has its control address', async () => {
    const node = await bareNode();
    const control_address = new URL(node.api_base).host;
    try {
      const { code, err } = await start('--config', configFile({ api_base: node.api_base, control_address }))
        .ended;
      expect({ code, lines: err.trimEnd().split('\n').length }).toEqual({ code: 5, lines: 1 });
      expect(err).toContain(control_address);
    } finally {
      node.close();
    }
  });
});
