import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { until } from '../../kit/deadline.ts';

/** Test-only: a real ssh-agent that holds one key. It ends with this process, however that ends. */
export class TestAgent implements AsyncDisposable {
  /** What `SSH_AUTH_SOCK` has to be. */
  readonly socket: string;
  readonly #dir: string;
  readonly #process: ChildProcess;

  private constructor(dir: string) {
    this.#dir = dir;
    this.socket = join(dir, 'agent');
    const argv = ['--pdeathsig', 'KILL', 'ssh-agent', '-D', '-a', this.socket];
    this.#process = spawn('setpriv', argv, { stdio: 'ignore' });
  }

  static async start(keyFile: string): Promise<TestAgent> {
    const agent = new TestAgent(await mkdtemp(join(tmpdir(), 'meshproof-agent-')));
    await until('the agent', () => existsSync(agent.socket) || undefined, { budgetMs: 5_000, everyMs: 10 });
    await execa('ssh-add', ['-q', keyFile], { env: { SSH_AUTH_SOCK: agent.socket } });
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'close');
    if (this.#process.kill()) await ended;
    await rm(this.#dir, { recursive: true, force: true });
  }
}
