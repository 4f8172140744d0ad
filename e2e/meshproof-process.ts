import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';
import type { EventOf, ProgressEvent } from '../harness/progress/progress.ts';
import { until } from '../kit/deadline.ts';

/** A `meshproof` command as an operator starts it, followed through its `--json` progress. */
export class MeshproofProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly events: ProgressEvent[] = [];
  readonly proofDir: string;
  readonly #home: string;
  readonly #exited: Promise<number | null>;
  stderr = '';
  #isClosed = false;

  private constructor(home: string, command: readonly string[], options: SpawnOptions) {
    this.#home = home;
    this.proofDir = join(home, 'proof');
    const [program = '', ...args] = command;
    this.child = spawn(program, [...args, '--json', '--proof-dir', this.proofDir], {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    if (this.child.stdout) {
      createInterface({ input: this.child.stdout }).on('line', (line) => this.events.push(JSON.parse(line)));
    }
    this.#exited = once(this.child, 'close').then(([code]) => {
      this.#isClosed = true;
      return code as number | null;
    });
  }

  static async start(...args: readonly string[]): Promise<MeshproofProcess> {
    return await MeshproofProcess.startWith({}, ...args);
  }

  static async startWith(options: SpawnOptions, ...args: readonly string[]): Promise<MeshproofProcess> {
    return await MeshproofProcess.startCommand([process.execPath, inject('meshproof'), ...args], options);
  }

  /** Any program that comes down to `meshproof`, with all its arguments but those that this follower needs. */
  static async startCommand(
    command: readonly string[],
    options: SpawnOptions = {},
  ): Promise<MeshproofProcess> {
    return new MeshproofProcess(await mkdtemp(join(tmpdir(), 'meshproof-e2e-')), command, options);
  }

  /** The first event of that kind that fits, waiting for it. */
  async event<T extends ProgressEvent['event']>(
    kind: T,
    fits: (event: EventOf<T>) => unknown = () => true,
    budgetMs = 60_000,
  ): Promise<EventOf<T>> {
    return await until(
      `event ${kind}`,
      () => {
        // Its last words may come after its end.
        if (this.#isClosed && !this.find(kind, fits)) {
          throw new Error(`ended with ${this.child.exitCode} before ${kind}\n${this.stderr}\n${this.told()}`);
        }
        return this.find(kind, fits);
      },
      { budgetMs, everyMs: 10 },
    );
  }

  find<T extends ProgressEvent['event']>(kind: T, fits: (event: EventOf<T>) => unknown = () => true) {
    return this.events.find(
      (event): event is EventOf<T> => event.event === kind && Boolean(fits(event as EventOf<T>)),
    );
  }

  /** The process id of a node or runner of this run, which this test thereby may end. */
  async pidOf(node: string, role: 'node' | 'runner'): Promise<number> {
    return (await this.event('process_started', (event) => event.node === node && event.role === role)).pid;
  }

  get pids(): readonly number[] {
    return this.events.flatMap((event) => (event.event === 'process_started' ? [event.pid] : []));
  }

  /** Waits for the end and gives the exit code. */
  async exit(budgetMs = 100_000): Promise<number | null> {
    const overdue = setTimeout(() => this.child.kill('SIGKILL'), budgetMs);
    try {
      return await this.#exited;
    } finally {
      clearTimeout(overdue);
    }
  }

  /** What it told, for the message of a failed expectation; its last words first, for logs that lose the end. */
  told(): string {
    return this.events
      .map((event) => JSON.stringify(event))
      .toReversed()
      .join('\n')
      .slice(0, 6_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exited;
    for (const pid of this.pids) if (isAlive(pid)) process.kill(pid, 'SIGCONT');
    await until('every process of the run to end', () => (this.pids.some(isAlive) ? undefined : true), {
      budgetMs: 20_000,
    });
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** Whether a process of that id runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}`)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
