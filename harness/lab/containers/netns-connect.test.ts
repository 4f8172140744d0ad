import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';

const PROGRAM = join(import.meta.dirname, 'netns-connect.ts');
let server: Server | undefined;
afterEach(() => server?.close());

async function listen(onConnection: Parameters<typeof createServer>[1]): Promise<string> {
  server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return address !== null && typeof address === 'object' ? `${address.port}` : '';
}

function connect(port: string) {
  const child = spawn(process.execPath, [PROGRAM, '127.0.0.1', port], { stdio: ['pipe', 'pipe', 'pipe'] });
  return { child, output: buffer(child.stdout), said: text(child.stderr), exited: once(child, 'exit') };
}

describe('the connection into a namespace', () => {
  it('carries bytes both ways unchanged and ends with the other side', async () => {
    const port = await listen((socket) => socket.pipe(socket));
    const { child, output, exited } = connect(port);
    const sent = randomBytes(3 * 1024 * 1024);
    child.stdin.end(sent);
    expect((await output).equals(sent)).toBe(true);
    expect((await exited)[0]).toBe(0);
  });

  it('gives the greeting of a server to whom nothing is said', async () => {
    const port = await listen((socket) => socket.end('SSH-2.0-test\r\n'));
    const { child, output } = connect(port);
    child.stdin.end();
    expect((await output).toString()).toBe('SSH-2.0-test\r\n');
  });

  it('ends when its own side hangs up, although the server holds on', async () => {
    const port = await listen((socket) => socket.resume().once('close', () => socket.destroy()));
    const { child, exited } = connect(port);
    child.stdin.end('bye');
    expect((await exited)[0]).toBe(0);
  });

  it('names the address that refuses it, exit 1', async () => {
    const port = await listen(() => {});
    await new Promise((resolve) => server?.close(resolve));
    const { said, exited } = connect(port);
    expect((await exited)[0]).toBe(1);
    expect(await said).toMatch(new RegExp(`127\\.0\\.0\\.1 port ${port}: .*ECONNREFUSED`));
  });
});
