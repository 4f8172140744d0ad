import { execa } from 'execa';
import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { LIFELINE_FD } from '../../kit/lifeline.ts';
import { LastWords } from './last-words.ts';

const STOP_BUDGET_MS = 6_000; // nodes and runners promise to stop within 5 s
const KILL_BUDGET_MS = 2_000; // only a process stuck in the kernel outlives SIGKILL
const OUTPUT_GRACE_MS = 500; // for the last output of a process that has ended
const FIRST_LINE_MAX_CHARS = 4_096;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** It stopped in order when asked to, was killed since it did not, or ended in a way that nobody asked for. */
  readonly manner: 'stopped' | 'killed' | 'unasked';
  /** The last lines it wrote to stderr. */
  readonly lastWords: readonly string[];
}

/**
 * One program of the mesh as a child process, in a process group of its own: Ctrl-C in a terminal is for the harness,
 * which then stops it in order. It holds a lifeline (`kit/lifeline.ts`), so that it ends when this process does,
 * whatever the reason. `exited` always resolves.
 */
export class MeshChild {
  readonly name: string;
  readonly exited: Promise<ChildExit>;
  readonly #child: ReturnType<typeof start>;
  readonly #lastWords = new LastWords();
  readonly #firstLine: Promise<string>;
  #exit: ChildExit | undefined;
  #told: 'nothing' | 'to stop' | 'killed' = 'nothing';

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name;
    this.#child = start(args, env);
    this.#child.catch(() => {}); // its end is told by `exited`
    const { stderr, stdout } = this.#child;
    stderr.setEncoding('utf8').on('data', (chunk: string) => this.#lastWords.push(chunk));
    this.#firstLine = new Promise((resolve) => {
      let text = '';
      stdout.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.includes('\n') || text.length > FIRST_LINE_MAX_CHARS) return;
        text += chunk;
        const end = text.indexOf('\n');
        if (end >= 0) resolve(text.slice(0, end));
      });
    });
    this.exited = this.#watchExit();
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
      throw this.#notListening(`ended before it was listening: ${why}`, exit);
    });
    died.catch(() => {});
    try {
      return await withinBudget(
        `${this.name} to be listening`,
        budgetMs,
        () => Promise.race([this.#firstLine, died]),
        signal,
      );
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      const lastWords = this.#lastWords.take();
      const said = lastWords.at(-1) ?? 'nothing';
      throw this.#notListening(`was not listening after ${budgetMs} ms; it said ${said}`, {
        code: null,
        signal: null,
        lastWords,
      });
    }
  }

  /**
   * Asks it to stop, ends it after `graceMs`, and resolves when it is gone.
   * @throws FaultError `CHILD_NOT_STOPPED` when it is there even so
   */
  async stop(graceMs = STOP_BUDGET_MS): Promise<ChildExit> {
    if (this.#exit) return this.#exit;
    const { nodeChildProcess } = this.#child;
    nodeChildProcess.kill('SIGCONT'); // a paused process could not hear the next signal
    nodeChildProcess.kill('SIGTERM');
    if (this.#told === 'nothing') this.#told = 'to stop';
    const timer = setTimeout(() => {
      nodeChildProcess.kill('SIGKILL');
      this.#told = 'killed';
    }, graceMs);
    const budgetMs = graceMs + KILL_BUDGET_MS;
    try {
      return await withinBudget(`${this.name} to stop`, budgetMs, () => this.exited);
    } catch (error) {
      const why = `${this.name} (process ${this.pid}) is still there ${budgetMs} ms after it was told to stop`;
      throw new FaultError('CHILD_NOT_STOPPED', why, {
        details: { name: this.name, pid: this.pid ?? null },
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  #watchExit(): Promise<ChildExit> {
    const { nodeChildProcess } = this.#child;
    return new Promise((resolve) => {
      const settle = (code: number | null, signal: string | null) => {
        this.#exit ??= {
          code,
          signal,
          manner: this.#manner(code, signal),
          lastWords: this.#lastWords.take(),
        };
        resolve(this.#exit);
      };
      nodeChildProcess.once('close', settle);
      // Somebody who inherited its output may hold it open for ever; the process itself is gone.
      nodeChildProcess.once('exit', (code, signal) => {
        setTimeout(() => settle(code, signal), OUTPUT_GRACE_MS).unref();
      });
      nodeChildProcess.once('error', (error) => {
        if (this.pid !== undefined) return; // a signal could not be sent; its end is still to come
        this.#lastWords.push(`${messageOf(error)}\n`);
        settle(null, null);
      });
    });
  }

  /** A crash stays one although it happens while stopping. */
  #manner(code: number | null, signal: string | null): ChildExit['manner'] {
    if (this.#told === 'killed' && signal === 'SIGKILL') return 'killed';
    return this.#told !== 'nothing' && code === 0 ? 'stopped' : 'unasked';
  }

  #notListening(how: string, { code, signal, lastWords }: Omit<ChildExit, 'manner'>): FaultError {
    return new FaultError('CHILD_NOT_LISTENING', `${this.name} ${how}`, {
      details: { name: this.name, code, signal, last_words: lastWords },
    });
  }
}

function start(args: readonly string[], env: Readonly<Record<string, string>>) {
  return execa(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...env, [LIFELINE_FD]: '3' },
    buffer: false,
    reject: false,
    cleanup: false, // stop() and the lifeline see to it
    detached: true,
  });
}
