import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { until } from '../../kit/deadline.ts';
import { freePorts } from '../lab/free-ports.ts';
import type { SshTarget } from './inventory.ts';
import { SshHost } from './ssh-host.ts';

const SSHD = '/usr/sbin/sshd';
/** A user whom only the namespace of a fixture's sshd knows; not root, and with a home of its own. */
const USER = { name: 'mesh-tester', uid: 54_321 } as const;

/** Why no sshd can be started here; null when one can. */
export function sshdMissing(): string | null {
  if (!existsSync(SSHD)) return 'openssh-server is not installed';
  return process.getuid?.() === 0 ? null : 'not root';
}

interface SshdOptions {
  /** More lines of `sshd_config`. */
  readonly config?: readonly string[];
  /** Programs, by name, that stand before those of the system in the PATH of every command. */
  readonly shims?: Readonly<Record<string, string>>;
}

/**
 * A real sshd on loopback with keys and configuration of its own. It ends with this process, however that ends, and
 * `stop` and `start` may follow each other.
 */
export class TestSshd implements AsyncDisposable {
  readonly dir: string;
  readonly port: number;
  #pid: number | null = null;

  private constructor(dir: string, port: number) {
    this.dir = dir;
    this.port = port;
  }

  static async start({ config = [], shims = {} }: SshdOptions = {}): Promise<TestSshd> {
    const dir = await mkdtemp(join(tmpdir(), 'meshproof-sshd-'));
    const [port = 0] = await freePorts('tcp', '127.0.0.1', 1);
    const sshd = new TestSshd(dir, port);
    await mkdir('/run/sshd', { recursive: true, mode: 0o755 }); // sshd does not start without
    for (const name of ['host_key', 'user_key', 'other_key']) await makeKey(join(dir, name));
    await copyFile(join(dir, 'user_key.pub'), join(dir, 'authorized_keys'));
    await sshd.#writeShims(shims);
    await sshd.#writeUsers();
    const lines = [
      `ListenAddress 127.0.0.1:${sshd.port}`,
      `HostKey ${join(dir, 'host_key')}`,
      `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
      `SetEnv PATH=${join(dir, 'bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      `PidFile ${join(dir, 'pid')}`,
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'StrictModes no',
      'UsePAM no',
      ...config,
    ];
    await writeFile(join(dir, 'sshd_config'), `${lines.join('\n')}\n`);
    await sshd.start();
    return sshd;
  }

  async start(): Promise<void> {
    const child = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        'unshare',
        '--mount',
        'sh',
        '-c',
        'mount --bind "$1" /etc/passwd && exec "$2" -D -e -f "$3"',
      ].concat(['sh', join(this.dir, 'passwd'), SSHD, join(this.dir, 'sshd_config')]),
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-4_000);
    });
    this.#pid = child.pid ?? null;
    await until(
      `sshd on port ${this.port}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
        return (await answers(this.port)) ? true : undefined;
      },
      { budgetMs: 10_000, everyMs: 20 },
    );
  }

  /** What a connection to it needs, with the pinned key of this sshd. */
  async target(changes: Partial<SshTarget> = {}): Promise<SshTarget> {
    return {
      name: 'alpha',
      address: '127.0.0.1',
      port: this.port,
      user: 'root',
      identity: { keyFile: join(this.dir, 'user_key') },
      hostKey: await fingerprintOf(join(this.dir, 'host_key.pub')),
      proxyCommand: null,
      jump: null,
      ...changes,
    };
  }

  async host(changes: Partial<SshTarget> = {}): Promise<SshHost> {
    return new SshHost(await this.target(changes));
  }

  /** The name of a user of this sshd who is not root. */
  get commonUser(): string {
    return USER.name;
  }

  async changeHostKey(): Promise<void> {
    await this.stop();
    for (const end of ['', '.pub']) await rm(join(this.dir, `host_key${end}`));
    await makeKey(join(this.dir, 'host_key'));
    await this.start();
  }

  /** Ends sshd with every connection and command of it, at once and without a word, as a power cut would. */
  async stop(): Promise<void> {
    if (this.#pid === null) return;
    const family = await familyOf(this.#pid);
    this.#pid = null;
    for (const pid of family) kill(pid);
    await until('the end of sshd', async () => ((await answers(this.port)) ? undefined : true), {
      budgetMs: 5_000,
      everyMs: 20,
    });
  }

  /** Ends every connection, but neither sshd nor the commands that ran over them. */
  async cutConnections(): Promise<void> {
    if (this.#pid === null) return;
    for (const pid of (await familyOf(this.#pid)).slice(1)) {
      if ((await commandLineOf(pid)).startsWith('sshd: ')) kill(pid);
    }
  }

  /** Processes of this sshd whose command line holds `text`. */
  async commands(text: string): Promise<readonly string[]> {
    if (this.#pid === null) return [];
    const lines = await Promise.all((await familyOf(this.#pid)).map(commandLineOf));
    return lines.filter((line) => line.includes(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #writeShims(shims: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(join(this.dir, 'bin'));
    for (const [name, script] of Object.entries(shims)) {
      await writeFile(join(this.dir, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
  }

  /** Root with an empty home: whatever this machine's root runs at login is not to be waited for, or killed. */
  async #writeUsers(): Promise<void> {
    const { name, uid } = USER;
    const home = join(this.dir, 'home');
    await mkdir(home, { mode: 0o700 });
    const known = (await readFile('/etc/passwd', 'utf8')).replace(
      /^root:.*$/m,
      `root:x:0:0:root:${home}:/bin/bash`,
    );
    await writeFile(join(this.dir, 'passwd'), `${known}${name}:*:${uid}:${uid}::/tmp:/bin/sh\n`);
    await chmod(this.dir, 0o711);
    for (const file of ['authorized_keys', 'passwd']) await chmod(join(this.dir, file), 0o644);
  }
}

/** `SHA256:…` as ssh-keygen says it: our own reading of keys must agree with it. */
async function fingerprintOf(publicKey: string): Promise<string> {
  const { stdout } = await execa('ssh-keygen', ['-lf', publicKey]);
  return stdout.split(' ')[1] ?? '';
}

async function makeKey(file: string): Promise<void> {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

/** A process and all that descend from it, the youngest last. */
async function familyOf(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((child) => familyOf(Number(child))),
  );
  return [pid, ...below.flat()];
}

async function commandLineOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line.replaceAll('\0', ' ').trim();
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
