import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { LIFELINE_FD } from '../../kit/lifeline.ts';
import { LastWords } from './last-words.ts';
import { LineSplitter } from './line-splitter.ts';
import { resumedWhenOrphaned } from './resume-orphans.ts';

const STOP_BUDGET_MS = 6_000; // nodes and runners promise to stop within 5 s
const KILL_BUDGET_MS = 10_000; // only a process stuck in the kernel outlives SIGKILL
const OUTPUT_GRACE_MS = 500; // for the last output of a process that has ended
const FIRST_LINE_MAX_CHARS = 4_096;
const LINE_MAX_CHARS = 4 * 1024 * 1024; // an answer about every link of the largest mesh

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
 * whatever the reason, even when it is paused then. `exited` always resolves.
 */
export class MeshChild {
  readonly name: string;
  readonly exited: Promise<ChildExit>;
  readonly #child: ReturnType<typeof start>;
  readonly #lastWords = new LastWords();
  readonly #firstLine: Promise<string>;
  #exit: ChildExit | undefined;
  #isListening = false;
  #told: 'nothing' | 'to stop' | 'killed' = 'nothing';

  /** With `onLine` it is one that is talked with: it takes lines by `send`, and `onLine` gets all but its first. */
  constructor(name: string, args: readonly string[], { onLine }: { onLine?: (line: string) => void } = {}) {
    this.name = name;
    this.#child = start(args, onLine === undefined ? 'ignore' : 'pipe');
    this.#child.catch(() => {}); // its end is told by `exited`
    const { stderr, stdout, stdin } = this.#child;
    stdin?.on('error', () => {}); // it ended; `exited` tells
    stderr.setEncoding('utf8').on('data', (chunk: string) => this.#lastWords.push(chunk));
    this.#firstLine = new Promise((resolve) => {
      let listener: (line: string) => void = resolve;
      const lines = new LineSplitter(onLine ? LINE_MAX_CHARS : FIRST_LINE_MAX_CHARS, (line) => {
        this.#isListening = true;
        listener(line);
        listener = onLine ?? (() => {});
      });
      stdout.setEncoding('utf8').on('data', (chunk: string) => lines.push(chunk));
    });
    this.exited = this.#watchExit();
  }

  /** Gives it a line on stdin; one that has ended gets nothing. */
  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
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

  /** A crash stays one although it happens while stopping. Before it listens a program may not yet mind its signals. */
  #manner(code: number | null, signal: string | null): ChildExit['manner'] {
    if (this.#told === 'killed' && signal === 'SIGKILL') return 'killed';
    if (this.#told === 'nothing') return 'unasked';
    return code === 0 || (signal === 'SIGTERM' && !this.#isListening) ? 'stopped' : 'unasked';
  }

  #notListening(how: string, { code, signal, lastWords }: Omit<ChildExit, 'manner'>): FaultError {
    return new FaultError('CHILD_NOT_LISTENING', `${this.name} ${how}`, {
      details: { name: this.name, code, signal, last_words: lastWords },
    });
  }
}

function start(args: readonly string[], stdin: 'ignore' | 'pipe') {
  const [file, ...rest] = resumedWhenOrphaned(process.execPath, args);
  return execa(file, rest, {
    stdio: [stdin, 'pipe', 'pipe', 'pipe'],
    env: { [LIFELINE_FD]: '3', ...sharedCodeCache() },
    buffer: false,
    reject: false,
    cleanup: false, // stop() and the lifeline see to it
    detached: true,
  });
}

/** A child keeps compiled code where this process does, if it does: a program of the mesh then starts in two thirds of the time. */
function sharedCodeCache(): Record<string, string> {
  const ofThisNode = getCompileCacheDir(); // a directory of its version and user, in the one that was asked for
  return ofThisNode === undefined ? {} : { NODE_COMPILE_CACHE: dirname(ofThisNode) };
}
