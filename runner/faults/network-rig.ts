import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '../../kit/deadline.ts';
import {
  answerLineSchema,
  answerSchema,
  type FaultAnswer,
  type FaultAnswerLine,
  type FaultOperation,
  type FaultResult,
} from './protocol.ts';
import { type Finished, runCommand } from './run-command.ts';

const RIG_BUDGET_MS = 60_000; // the rig is also used where processors are emulated
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Addresses of the rig: the host under test, and two peers that share the other end of its link. */
export const HOST = { v4: '198.51.100.1', v6: '2001:db8:1::1' } as const;
export const PEER = { v4: '198.51.100.2', v6: '2001:db8:1::2' } as const;
export const OTHER = { v4: '198.51.100.3', v6: '2001:db8:1::3' } as const;

/** Null when real nft can be tried here; otherwise why not, for the name of the skipped test. */
export function whyNoRig(): string | null {
  if (process.getuid?.() !== 0) return 'not root';
  for (const tool of ['nft', 'ip', 'tc', 'unshare', 'nsenter', 'flock']) {
    if (spawnSync(tool, ['--version']).error) return `${tool} is not installed`;
  }
  const made = spawnSync('unshare', ['--net', '--', 'nft', 'list', 'ruleset']);
  return made.status === 0 ? null : 'no network namespaces here';
}

/**
 * Two network namespaces joined by a veth pair: a host on which the fault program runs, and its peers. They live as
 * long as two processes at the end of our pipes do, so nothing is left however the test ends.
 */
export class NetworkRig implements AsyncDisposable {
  readonly #host: ChildProcess;
  readonly #peers: ChildProcess;
  readonly #directory: string;
  readonly #program: string;
  #session: Session | undefined;

  private constructor(host: ChildProcess, peers: ChildProcess, directory: string, program: string) {
    this.#host = host;
    this.#peers = peers;
    this.#directory = directory;
    this.#program = program;
  }

  /** `program`: the fault program as it is shipped, in place of its sources. */
  static async open({ program = MAIN }: { readonly program?: string } = {}): Promise<NetworkRig> {
    const [host, peers] = await Promise.all([holdNamespace(), holdNamespace()]);
    const rig = new NetworkRig(host, peers, await mkdtemp(join(tmpdir(), 'meshproof-rig-')), program);
    await rig.onHost(
      'ip',
      'link',
      'add',
      'up0',
      'type',
      'veth',
      'peer',
      'name',
      'up0',
      'netns',
      `${peers.pid}`,
    );
    for (const [on, addresses] of [
      [host, [HOST]],
      [peers, [PEER, OTHER]],
    ] as const) {
      for (const { v4, v6 } of addresses) {
        await inNamespace(on, ['ip', 'address', 'add', `${v4}/24`, 'dev', 'up0']);
        await inNamespace(on, ['ip', '-6', 'address', 'add', `${v6}/64`, 'dev', 'up0', 'nodad']);
      }
      await inNamespace(on, ['ip', 'link', 'set', 'lo', 'up']);
      await inNamespace(on, ['ip', 'link', 'set', 'up0', 'up']);
    }
    await rig.#carries(PEER.v6); // the kernel takes a moment to bring IPv6 up on a new link
    return rig;
  }

  async #carries(address: string): Promise<void> {
    const probe = { address, port: 9, count: 1, timeout_ms: 200 };
    const isAnswered = async () => ((await this.ask('probe', probe)).answered === 1 ? true : undefined);
    await until(`an answer of ${address}`, isAnswered, { budgetMs: RIG_BUDGET_MS });
  }

  async onHost(...argv: readonly [string, ...string[]]): Promise<string> {
    return await inNamespace(this.#host, argv);
  }

  async onPeers(...argv: readonly [string, ...string[]]): Promise<string> {
    return await inNamespace(this.#peers, argv);
  }

  /** Starts a program on the host, its pipes ours. */
  startOnHost(...argv: readonly string[]): ChildProcess {
    return spawn('nsenter', [...into(this.#host), ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** Starts a program beside the peers, its pipes ours. */
  startOnPeers(...argv: readonly string[]): ChildProcess {
    return spawn('nsenter', [...into(this.#peers), ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** Starts the fault program on the host. */
  start(op: FaultOperation | 'serve', body?: object): ChildProcess {
    const child = spawn('nsenter', [...into(this.#host), process.execPath, this.#program, op], {
      env: {
        ...process.env,
        MESHPROOF_FAULTS_DIR: join(this.#directory, 'faults'),
        MESHPROOF_FAULTS_SYSTEMD: join(this.#directory, 'no-systemd'), // its timers would act outside of the rig
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin?.on('error', () => {});
    if (op !== 'serve') child.stdin?.end(JSON.stringify(body ?? {}));
    return child;
  }

  /** Asks the rig's own session, which spares the start of a program. What it applies ends with the rig. */
  async ask<Op extends FaultOperation>(op: Op, body?: object): Promise<FaultResult<Op>> {
    this.#session ??= new Session(this.start('serve'));
    const answer = await this.#session.ask(op, body ?? {});
    if (!answer.ok) throw new Error(`${op}: ${answer.code}: ${answer.message}`);
    return answer.result as FaultResult<Op>;
  }

  /** Runs the program for one operation, to its end. */
  async answer(
    op: FaultOperation,
    body?: object,
  ): Promise<{ readonly code: number; readonly answer: FaultAnswer }> {
    const child = this.start(op, body);
    const chunks: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    const [code] = await once(child, 'close');
    return { code, answer: answerSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))) };
  }

  /** Everything that nft and tc hold on the host, byte for byte. */
  async everything(): Promise<string> {
    const [nft, tc] = [
      await this.onHost('nft', '-j', 'list', 'ruleset'),
      await this.onHost('tc', '-j', 'qdisc', 'show'),
    ];
    return `${nft}\n${tc}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.end();
    for (const holder of [this.#host, this.#peers]) {
      holder.stdin?.end();
      if (holder.exitCode === null) await once(holder, 'close');
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A fault program that serves, and one question to it at a time or many. */
export class Session {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: FaultAnswerLine) => void>();
  #lastId = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    const lines = createInterface({ input: child.stdout ?? process.stdin });
    lines.on('line', (line) => {
      const answer = answerLineSchema.parse(JSON.parse(line));
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
  }

  async ask(op: FaultOperation, body: object): Promise<FaultAnswerLine> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise<FaultAnswerLine>((resolve) => this.#waiting.set(id, resolve));
    this.#child.stdin?.write(`${JSON.stringify({ id, op, body })}\n`);
    return await answered;
  }

  /** Closes its input and gives its exit code. */
  async end(): Promise<number | null> {
    this.#child.stdin?.end();
    return await this.ended();
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }
}

/** A namespace that ends with the process that holds it, and that process with our pipe. */
async function holdNamespace(): Promise<ChildProcess> {
  const holder = spawn('unshare', ['--net', '--', 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  holder.stdin.write('.');
  await once(holder.stdout, 'data'); // it is inside
  return holder;
}

function into({ pid }: ChildProcess): readonly string[] {
  return [`--net=/proc/${pid}/ns/net`, '--'];
}

async function inNamespace(holder: ChildProcess, argv: readonly string[]): Promise<string> {
  const finished: Finished = await runCommand(['nsenter', ...into(holder), ...argv], {
    budgetMs: RIG_BUDGET_MS,
  });
  if (finished.code !== 0) throw new Error(`${argv.join(' ')}: ${finished.stderr}`);
  return finished.stdout;
}
