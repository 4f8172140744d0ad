import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { sshdMissing, TestSshd } from './fixture-sshd.ts';
import { SshHost } from './ssh-host.ts';

const missing = sshdMissing();
const never = new AbortController().signal;
const within = (budgetMs: number) => ({ budgetMs, signal: never });

describe.skipIf(missing !== null)('a host that goes away', () => {
  it('is lost under a running command, and reached again afterwards', async () => {
    await using sshd = await TestSshd.start();
    await using reached = await sshd.host();
    const running = reached.exec(['sh', '-c', 'echo started; sleep 60'], within(15_000));
    const lost = expect(running).rejects.toMatchObject({ code: 'HOST_LOST' });
    await expect.poll(() => sshd.commands('echo started'), { timeout: 20_000 }).not.toEqual([]);
    await sshd.stop();
    await lost;
    await expect(reached.exec(['true'], within(5_000))).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
    });
    await sshd.start();
    expect(await reached.exec(['echo', 'again'], within(10_000))).toMatchObject({ stdout: 'again\n' });
  });

  it('ends a session with no code when the connection is lost', async () => {
    await using sshd = await TestSshd.start();
    await using reached = await sshd.host();
    const session = await reached.session(['cat'], { signal: never });
    await sshd.stop();
    expect(await session.ended).toMatchObject({ code: null });
    expect(() => session.send('x')).toThrow(expect.objectContaining({ code: 'HOST_LOST' }));
  });

  it('is refused when it comes back with another host key', async () => {
    await using sshd = await TestSshd.start();
    const target = await sshd.target();
    await sshd.changeHostKey();
    await using reached = new SshHost(target);
    const { hostKey: shown } = await sshd.target();
    await expect(reached.exec(['true'], within(10_000))).rejects.toMatchObject({
      code: 'HOST_KEY_CHANGED',
      details: expect.objectContaining({ pinned: target.hostKey, shown }),
    });
  });

  it('is given up on at the deadline when it takes connections and says nothing', async () => {
    const blackHole = await listen();
    const target = { address: '127.0.0.1', port: blackHole.port };
    await using sshd = await TestSshd.start();
    await using reached = await sshd.host(target);
    const started = performance.now();
    await expect(reached.exec(['true'], within(500))).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
    expect(performance.now() - started).toBeLessThan(12_000); // connecting may take 15 s
    blackHole.close();
  });

  it('is given up on at the deadline when its connection falls silent, and reached again by a new one', async () => {
    await using sshd = await TestSshd.start();
    const relay = await relayTo(sshd.port);
    await using reached = await sshd.host({ port: relay.port });
    expect(await reached.exec(['true'], within(10_000))).toMatchObject({ code: 0 });
    relay.freeze();
    await expect(reached.exec(['true'], within(300))).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
    // No packet ever says that it is gone: the deadline of opening a channel finds out, at the latest.
    await expect(reached.exec(['true'], within(15_000))).rejects.toMatchObject({ code: 'HOST_LOST' });
    relay.thaw();
    expect(await reached.exec(['echo', 'again'], within(10_000))).toMatchObject({ stdout: 'again\n' });
    relay.close();
  });
});

async function listen(): Promise<{ readonly port: number; close(): void }> {
  const server: Server = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, close: () => server.close() };
}

/** A way to a port that can fall silent, for the connections it has as for new ones, without closing any. */
async function relayTo(port: number) {
  let frozen = false;
  const pairs: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.push(from);
      from.on('data', (bytes) => frozen || to.write(bytes));
      from.on('close', () => to.destroy());
      from.on('error', () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    freeze: () => {
      frozen = true;
    },
    thaw: () => {
      frozen = false;
    },
    close: () => {
      for (const socket of pairs) socket.destroy();
      server.close();
    },
  };
}
