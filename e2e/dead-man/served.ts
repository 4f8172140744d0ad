import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { until } from '../../kit/deadline.ts';
import { answerLineSchema, type FaultAnswerLine, type FaultOperation } from '../../runner/faults/protocol.ts';

const ANSWER_BUDGET_MS = 30_000;

/** The three processes of a trial, by their ids on this machine. */
interface Chain {
  readonly ssh: number;
  readonly sshd: number;
  readonly program: number;
}

/** A fault program that serves over SSH, and the processes between here and there, each of which may die. */
export class Served implements AsyncDisposable {
  readonly id: string;
  readonly #ssh: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #answers = new Map<number, FaultAnswerLine>();
  #complaints = '';
  #chain: Chain | undefined;
  #lastId = 0;

  private constructor(id: string, ssh: ChildProcess) {
    this.id = id;
    this.#ssh = ssh;
    this.#closed = once(ssh, 'close');
    ssh.stdin?.on('error', () => {}); // whoever held the other end is dead, as was meant
    ssh.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-1_000);
    });
    createInterface({ input: ssh.stdout ?? process.stdin }).on('line', (line) => {
      const answer = answerLineSchema.parse(JSON.parse(line));
      this.#answers.set(answer.id ?? 0, answer);
    });
  }

  static async start(id: string, [program, ...args]: readonly [string, ...string[]]): Promise<Served> {
    const ssh = spawn(program, args, { stdio: 'pipe' });
    const served = new Served(id, ssh);
    await served.ask('process', { unit: 'plain.service' });
    const [serving] = await programsOf(id);
    if (ssh.pid === undefined || serving === undefined)
      throw new Error(`${id}: the fault program is not found`);
    served.#chain = { ssh: ssh.pid, sshd: await sshdAbove(serving), program: serving };
    return served;
  }

  /** Sends a request; gives its id. */
  send(op: FaultOperation, body: object): number {
    this.#lastId += 1;
    this.#ssh.stdin?.write(`${JSON.stringify({ id: this.#lastId, op, body })}\n`);
    return this.#lastId;
  }

  isAnswered(id: number): boolean {
    return this.#answers.has(id);
  }

  /** @throws Error when it is refused */
  async ask(op: FaultOperation, body: object): Promise<unknown> {
    const id = this.send(op, body);
    const answer = await until(`${this.id}: the answer to ${op}`, () => this.#answerOrEnd(id), {
      budgetMs: ANSWER_BUDGET_MS,
      everyMs: 5,
    });
    if (!answer.ok) throw new Error(`${this.id}: ${op}: ${answer.code}: ${answer.message}`);
    return answer.result;
  }

  #answerOrEnd(id: number): FaultAnswerLine | undefined {
    const answer = this.#answers.get(id);
    if (answer === undefined && this.#ssh.exitCode !== null) {
      throw new Error(`${this.id}: the session ended with code ${this.#ssh.exitCode}: ${this.#complaints}`);
    }
    return answer;
  }

  signal(which: keyof Chain, signal: NodeJS.Signals): void {
    const pid = this.#chain?.[which];
    if (pid !== undefined) process.kill(pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ssh.exitCode === null && this.#ssh.signalCode === null) this.#ssh.kill('SIGKILL');
    await this.#closed;
  }
}

/** Processes of this machine, those of its containers included, that run the fault program for a trial. */
export async function programsOf(id: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (!(await readProc(pid, 'cmdline')).endsWith('faults.mjs\0serve\0')) continue;
    if ((await readProc(pid, 'environ')).split('\0').includes(`MESHPROOF_TRIAL=${id}`))
      found.push(Number(pid));
  }
  return found;
}

async function sshdAbove(pid: number): Promise<number> {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(await readProc(String(pid), 'status'))?.[1] ?? 0);
  if (parent <= 1) throw new Error('no sshd stands above the fault program');
  return (await readProc(String(parent), 'comm')).startsWith('sshd') ? parent : await sshdAbove(parent);
}

/** Empty when the process has ended. */
async function readProc(pid: string, file: string): Promise<string> {
  return await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}
