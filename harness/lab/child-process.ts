import { execa } from 'execa';
import { BoundedQueue } from '../../kit/bounded.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import { LIFELINE_FD } from '../../kit/lifeline.ts';

const STOP_BUDGET_MS = 6_000; // the node promises to stop within 5 s
const LAST_WORDS_MAX = 20;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last lines it wrote to stderr. */
  readonly lastWords: readonly string[];
}

/**
 * One program of the mesh as a child process. It holds a lifeline (`kit/lifeline.ts`), so that it ends when this
 * process does, whatever the reason. `exited` always resolves.
 */
export class MeshChild {
  readonly name: string;
  readonly exited: Promise<ChildExit>;
  readonly #child: ReturnType<typeof start>;
  readonly #lastWords = new BoundedQueue<string>({ max: LAST_WORDS_MAX, full: 'drop-oldest' });
  readonly #firstLine: Promise<string>;
  #exit: ChildExit | undefined;

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name;
    this.#child = start(args, env);
    this.#child.catch(() => {}); // its end is told by `exited`
    const { stderr, stdout, nodeChildProcess } = this.#child;
    stderr.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of chunk.split('\n')) if (line.trim() !== '') this.#lastWords.push(line);
    });
    this.#firstLine = new Promise((resolve) => {
      let text = '';
      stdout.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.includes('\n')) return;
        text += chunk;
        const end = text.indexOf('\n');
        if (end >= 0) resolve(text.slice(0, end));
      });
    });
    this.exited = new Promise((resolve) => {
      const settle = (code: number | null, signal: string | null) => {
        const lastWords: string[] = [];
        for (let line = this.#lastWords.shift(); line !== undefined; line = this.#lastWords.shift())
          lastWords.push(line);
        this.#exit ??= { code, signal, lastWords };
        resolve(this.#exit);
      };
      nodeChildProcess.once('close', settle);
      nodeChildProcess.once('error', () => settle(null, null));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What became of it, or `undefined` while it runs. */
  get exit(): ChildExit | undefined {
    return this.#exit;
  }

  /**
   * The first line it writes to stdout: its word that it is listening.
   * @throws FaultError `CHILD_NOT_LISTENING` when it ends or stays silent instead; its last words are the reason
   */
  async listening(budgetMs: number, signal: AbortSignal): Promise<string> {
    const died = this.exited.then((exit) => {
      const why = exit.lastWords.at(-1) ?? `code ${exit.code}, signal ${exit.signal}`;
      throw new FaultError('CHILD_NOT_LISTENING', `${this.name} ended before it was listening: ${why}`, {
        details: { name: this.name, code: exit.code, signal: exit.signal, last_words: exit.lastWords },
      });
    });
    died.catch(() => {});
    return await withinBudget(
      `${this.name} to be listening`,
      budgetMs,
      () => Promise.race([this.#firstLine, died]),
      signal,
    );
  }

  /** Asks it to stop, ends it after 6 s, and resolves when it is gone. */
  async stop(): Promise<ChildExit> {
    if (this.#exit) return this.#exit;
    const { nodeChildProcess } = this.#child;
    nodeChildProcess.kill('SIGCONT'); // a paused process could not hear the next signal
    nodeChildProcess.kill('SIGTERM');
    const timer = setTimeout(() => nodeChildProcess.kill('SIGKILL'), STOP_BUDGET_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }
}

function start(args: readonly string[], env: Readonly<Record<string, string>>) {
  return execa(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...env, [LIFELINE_FD]: '3' },
    buffer: false,
    reject: false,
    cleanup: false, // stop() and the lifeline see to it
  });
}
