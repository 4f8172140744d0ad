import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePorts } from '../lab/free-ports.ts';
import { TestAgent } from './fixture-agent.ts';
import { sshdMissing, TestSshd } from './fixture-sshd.ts';
import type { SshHost } from './ssh-host.ts';

const missing = sshdMissing();
const never = new AbortController().signal;
const within = (budgetMs: number) => ({ budgetMs, signal: never });

describe.skipIf(missing !== null)(
  `a host over SSH${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let sshd: TestSshd;
    let host: SshHost;

    beforeAll(async () => {
      // sshd itself refuses a seventh session of one connection.
      sshd = await TestSshd.start({ shims: { sudo: SUDO }, config: ['MaxSessions 6'] });
      host = await sshd.host();
    });
    afterAll(async () => {
      await host?.close();
      await sshd?.[Symbol.asyncDispose]();
    });

    it('gives code, output and errors of a command, and hands arguments over as they are', async () => {
      const argv = [
        'sh',
        '-c',
        'printf "%s|" "$@"; echo oops >&2; exit 7',
        'sh',
        'a b',
        "it's",
        '$HOME;`id`',
        '',
      ];
      expect(await host.exec(argv, within(10_000))).toEqual({
        code: 7,
        stdout: "a b|it's|$HOME;`id`||",
        stderr: 'oops\n',
      });
    });

    it('feeds standard input', async () => {
      const { stdout } = await host.exec(['sha256sum'], { ...within(10_000), stdin: 'secret' });
      expect(stdout).toContain('2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b');
    });

    it('keeps characters whole that come in two packets', async () => {
      const script = String.raw`printf "\342\202"; sleep 0.2; printf "\254"; printf "\303" >&2; sleep 0.2; printf "\244" >&2`;
      expect(await host.exec(['sh', '-c', script], within(10_000))).toMatchObject({
        stdout: '€',
        stderr: 'ä',
      });
    });

    it('ends a command at its deadline, here and there', async () => {
      const started = performance.now();
      await expect(host.exec(['sleep', '987654'], within(300))).rejects.toMatchObject({
        code: 'HOST_TIMEOUT',
        host: 'alpha',
      });
      expect(performance.now() - started).toBeLessThan(12_000);
      await expect.poll(() => sshd.commands('sleep 987654'), { timeout: 8_000 }).toEqual([]);
      expect(await host.exec(['true'], within(10_000))).toMatchObject({ code: 0 });
    });

    it('runs twenty commands through six channels, beside a session', async () => {
      const one = await sshd.host();
      await using session = await one.session(['cat'], { signal: never });
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          one.exec(['sh', '-c', `sleep 0.05; echo ${at}`], within(15_000)),
        ),
      );
      expect(results.map(({ stdout }) => Number(stdout))).toEqual(Array.from({ length: 20 }, (_, at) => at));
      session.send('still here');
      expect(await session.lines[Symbol.asyncIterator]().next()).toMatchObject({ value: 'still here' });
      await one.close();
    });

    it('waits for an sshd that has no session free, and says so when none becomes free', async () => {
      await using narrow = await TestSshd.start({ config: ['MaxSessions 2'] });
      const one = await narrow.host();
      const twelve = Array.from({ length: 12 }, (_, at) => one.exec(['echo', `${at}`], within(15_000)));
      expect((await Promise.all(twelve)).map(({ stdout }) => Number(stdout))).toEqual(
        twelve.keys().toArray(),
      );
      const lasting = await Promise.all([1, 2].map(() => one.session(['cat'], { signal: never })));
      await expect(one.exec(['true'], within(15_000))).rejects.toMatchObject({
        code: 'HOST_REFUSED',
        message: expect.stringMatching(/^alpha: sshd had no session free .* MaxSessions/),
      });
      for (const session of lasting) await session[Symbol.asyncDispose]();
      await one.close();
    });

    it('leaves a channel to commands whatever stays open', async () => {
      const busy = await sshd.host();
      const sessions = await Promise.all([1, 2].map(() => busy.session(['cat'], { signal: never })));
      const server = await listen();
      const tunnels = await Promise.all([1, 2, 3].map(() => busy.connect(server.port, never)));
      const aborted = new AbortController();
      const refused = expect(busy.connect(server.port, aborted.signal)).rejects.toThrow('given up');
      expect(await busy.exec(['echo', 'free'], within(10_000))).toMatchObject({ stdout: 'free\n' });
      aborted.abort(new Error('given up'));
      await refused;
      for (const tunnel of tunnels) tunnel.destroy();
      for (const session of sessions) await session[Symbol.asyncDispose]();
      await busy.close();
      server.close();
    });

    it.each(['bash', 'sh'] as const)(
      'tells a signal that ended a command or a program from the loss of the host, by a login shell that is %s',
      async (shell) => {
        await using reached = await sshd.host({ user: { bash: 'root', sh: sshd.commonUser }[shell] });
        const killed = ['sh', '-c', 'kill -KILL $$'];
        for (const as of ['user', 'root'] as const) {
          await expect(reached.exec(killed, { ...within(10_000), as })).rejects.toMatchObject({
            code: 'HOST_KILLED',
          });
          await using session = await reached.session(killed, { signal: never, as });
          expect(await session.ended).toMatchObject({ code: 137 });
        }
      },
    );

    it('refuses a command that says more than is kept', async () => {
      const argv = ['head', '-c', '17000000', '/dev/zero'];
      await expect(host.exec(argv, within(15_000))).rejects.toMatchObject({ code: 'HOST_OUTPUT' });
    });

    it('stops at once when the caller gives up, with the reason of the caller', async () => {
      const asked = new AbortController();
      const running = host.exec(['sleep', '5'], { budgetMs: 10_000, signal: asked.signal });
      asked.abort(new Error('never mind'));
      await expect(running).rejects.toThrow('never mind');
    });

    it('refuses a host whose key is not pinned, and says which it shows', async () => {
      const { hostKey } = await sshd.target();
      const stranger = await sshd.host({ hostKey: null });
      await expect(stranger.exec(['true'], within(10_000))).rejects.toMatchObject({
        code: 'HOST_KEY_UNKNOWN',
        message: expect.stringContaining(`ssh-ed25519 ${hostKey}`),
      });
    });

    it('refuses a user key that sshd does not take', async () => {
      const wrong = await sshd.host({ identity: { keyFile: join(sshd.dir, 'other_key') } });
      await expect(wrong.exec(['true'], within(10_000))).rejects.toMatchObject({
        code: 'HOST_AUTH',
        message: expect.stringContaining('other_key'),
      });
    });

    it('logs in with a key of the agent, and says when there is no agent behind its socket', async () => {
      const agent = await TestAgent.start(join(sshd.dir, 'user_key'));
      vi.stubEnv('SSH_AUTH_SOCK', agent.socket);
      try {
        await using reached = await sshd.host({ identity: { agent: true } });
        expect(await reached.exec(['echo', 'in'], within(10_000))).toMatchObject({ stdout: 'in\n' });
        await agent[Symbol.asyncDispose]();
        await using refused = await sshd.host({ identity: { agent: true } });
        await expect(refused.exec(['true'], within(10_000))).rejects.toMatchObject({
          code: 'HOST_AUTH',
          message: expect.stringContaining('Failed to connect to agent'),
        });
      } finally {
        vi.unstubAllEnvs();
      }
    });

    it('goes through a jump host, each with its own pinned key', async () => {
      await using inner = await TestSshd.start();
      const jump = { ...(await sshd.target()), name: 'bastion' };
      await using reached = await inner.host({ name: 'inside', jump });
      expect(await reached.exec(['echo', 'in'], within(10_000))).toMatchObject({ stdout: 'in\n' });
      const unpinned = await inner.host({ name: 'inside', jump: { ...jump, hostKey: null } });
      await expect(unpinned.exec(['true'], within(10_000))).rejects.toMatchObject({
        code: 'HOST_KEY_UNKNOWN',
        host: 'bastion',
      });
    });

    it('tells a host that a jump host does not reach, or may not, from the loss of the jump host', async () => {
      const jump = { ...(await sshd.target()), name: 'bastion' };
      const [port = 0] = await freePorts('tcp', '127.0.0.1', 1);
      await using closed = await sshd.host({ name: 'inside', port, jump });
      await using strict = await TestSshd.start({ config: ['AllowTcpForwarding no'] });
      const barred = { ...(await strict.target()), name: 'bastion' };
      await using forbidden = await sshd.host({ name: 'inside', jump: barred });
      for (const host of [closed, forbidden]) {
        await expect(host.exec(['true'], within(10_000))).rejects.toMatchObject({
          code: 'HOST_UNREACHABLE',
          host: 'inside',
          message: expect.stringContaining('through bastion'),
        });
      }
    });

    it('goes through a proxy command, and repeats its last words when it fails', async () => {
      const script =
        'const [,h,p]=process.argv;const s=require("net").connect(p,h);process.stdin.pipe(s).pipe(process.stdout)';
      const proxyCommand = [process.execPath, '-e', script, '{host}', '{port}'];
      await using reached = await sshd.host({ proxyCommand });
      expect(await reached.exec(['echo', 'by proxy'], within(10_000))).toMatchObject({
        stdout: 'by proxy\n',
      });
      const broken = await sshd.host({ proxyCommand: ['sh', '-c', 'echo no such namespace >&2; exit 3'] });
      await expect(broken.exec(['true'], within(10_000))).rejects.toMatchObject({
        code: 'HOST_UNREACHABLE',
        message: expect.stringContaining('no such namespace'),
      });
      const absent = await sshd.host({ proxyCommand: ['/no/such/program'] });
      await expect(absent.exec(['true'], within(10_000))).rejects.toThrow(/\/no\/such\/program/);
    });

    it('is root through sudo where the user is not, and says when sudo refuses', async () => {
      await using reached = await sshd.host({ user: sshd.commonUser });
      expect(await reached.exec(['id', '-u'], within(10_000))).toMatchObject({ stdout: '54321\n' });
      expect(await reached.exec(['echo', 'raised'], { ...within(10_000), as: 'root' })).toMatchObject({
        stdout: 'by sudo: raised\n',
      });
      await expect(reached.exec(['forbidden'], { ...within(10_000), as: 'root' })).rejects.toMatchObject({
        code: 'HOST_SUDO',
        message: expect.stringContaining('a password is required'),
      });
    });

    it('refuses a tunnel to a port where nothing listens as the failure of whoever should listen', async () => {
      const [port = 0] = await freePorts('tcp', '127.0.0.1', 1);
      await expect(host.connect(port, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });

    it('keeps what is fed to a command out of every process list', async () => {
      const secret = 'hunter2-never-in-argv';
      const running = host.exec(['sh', '-c', 'read line; sleep 0.4'], {
        ...within(10_000),
        stdin: `${secret}\n`,
      });
      const uploading = host.writeFile(join(sshd.dir, 'token'), Buffer.from(secret), {
        ...within(10_000),
        mode: 0o600,
      });
      await expect.poll(() => sshd.commands('read line'), { timeout: 5_000 }).not.toEqual([]);
      expect(await sshd.commands(secret)).toEqual([]);
      await Promise.all([running, uploading]);
    });
  },
);

/** Raises nothing, but shows that it was asked; one command it refuses as the real one does. */
const SUDO = `[ "$1 $2" = "-n --" ] && shift 2
case "$*" in *forbidden*) echo "sudo: a password is required" >&2; exit 1;; esac
printf 'by sudo: '; exec "$@"`;

async function listen(): Promise<{ readonly port: number; close(): void }> {
  const server: Server = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, close: () => server.close() };
}
