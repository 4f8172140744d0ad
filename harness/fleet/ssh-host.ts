import type { Duplex } from 'node:stream';
import { type Clock, realClock } from '../../kit/clock.ts';
import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import type { ExecOptions, ExecResult, Host, HostSession } from './host.ts';
import { HostError } from './host-error.ts';
import type { SshTarget } from './inventory.ts';
import { quoteArgv } from './quote-argv.ts';
import { runCommand, type Stdin } from './run-command.ts';
import { SshConnection } from './ssh-connection.ts';
import { sessionOver } from './ssh-session.ts';
import { asRoot, sudoProblem } from './sudo.ts';
import { upload } from './upload.ts';

/** To connect and log in, jump hosts included. */
const CONNECT_BUDGET_MS = 15_000;
/** For a session or a tunnel to stand, connecting included; commands bring their own budget. */
const OPEN_BUDGET_MS = 20_000;
/** After a failed attempt the next one waits; doubled each time. */
const BACK_OFF_MS = { first: 250, last: 10_000 } as const;
const DROPPED_TRIES = 3;
/** The host ends a command itself a little after we stop waiting, so that none stays behind. */
const REMOTE_GRACE_SECS = 1;
const REMOTE_KILL_SECS = 2;

/** A machine over SSH: one connection, made when it is first needed and again when it was lost. */
export class SshHost implements Host, AsyncDisposable {
  readonly name: string;
  readonly #target: SshTarget;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  #connection: Promise<SshConnection> | null = null;
  /** What no further attempt can mend. */
  #refusal: HostError | null = null;
  #failures = 0;
  #notBeforeMs = 0;

  constructor(target: SshTarget, { clock = realClock }: { readonly clock?: Clock } = {}) {
    this.name = target.name;
    this.#target = target;
    this.#clock = clock;
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return await this.#run(argv, options, options.stdin);
  }

  async session(
    argv: readonly string[],
    { signal, as = 'user' }: Pick<ExecOptions, 'signal' | 'as'>,
  ): Promise<HostSession> {
    return await this.#within(`starting ${argv[0]}`, OPEN_BUDGET_MS, signal, async (within) => {
      const connection = await this.#connect(within);
      const channel = await connection.start('session', this.#commandLine(as, argv), within);
      return sessionOver(this.name, channel, connection.lost);
    });
  }

  async writeFile(
    path: string,
    content: Uint8Array | { readonly file: string },
    { mode, as = 'user', budgetMs, signal }: Parameters<Host['writeFile']>[2],
  ): Promise<void> {
    await upload(this.name, path, content, mode, (argv, stdin) =>
      this.#run(argv, { as, budgetMs, signal }, stdin),
    );
  }

  async connect(port: number, signal: AbortSignal): Promise<Duplex> {
    return await this.#within(`connecting to port ${port}`, OPEN_BUDGET_MS, signal, async (within) =>
      (await this.#connect(within)).tunnel('127.0.0.1', port, within),
    );
  }

  async close(): Promise<void> {
    this.#closed.abort(new HostError('HOST_LOST', this.name, 'the connection was closed here'));
    await this.#connection?.then((connection) => connection.close()).catch(() => {}); // it never stood
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(
    argv: readonly string[],
    { budgetMs, signal, as = 'user' }: Omit<ExecOptions, 'stdin'>,
    stdin: Stdin,
  ): Promise<ExecResult> {
    const secs = Math.ceil(budgetMs / 1_000) + REMOTE_GRACE_SECS;
    const limited = ['timeout', '-k', `${REMOTE_KILL_SECS}`, `${secs}`, ...argv];
    const command = this.#commandLine(as, limited);
    const result = await this.#within(`${argv[0]}`, budgetMs, signal, async (within) => {
      const connection = await this.#connect(within);
      const channel = await connection.start('exec', command, within);
      return await runCommand(this.name, channel, { stdin, signal: within, lost: connection.lost });
    });
    if (as === 'root') this.#checkSudo(result);
    return result;
  }

  /** The command takes the place of the login shell: one that waited for it would make an exit code of a signal. */
  #commandLine(as: 'root' | 'user', argv: readonly string[]): string {
    return `exec ${quoteArgv(as === 'root' && this.#target.user !== 'root' ? asRoot(argv) : argv)}`;
  }

  #checkSudo({ code, stderr }: ExecResult): void {
    if (this.#target.user === 'root') return;
    const problem = sudoProblem(code, stderr);
    if (problem === null) return;
    const { user } = this.#target;
    throw new HostError('HOST_SUDO', this.name, `${user} cannot be root here: ${problem}`, {
      details: { user },
    });
  }

  /** @throws HostError `HOST_TIMEOUT` when the budget is spent; the reason of `signal` when the caller aborts */
  async #within<T>(
    what: string,
    budgetMs: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await withinBudget(what, budgetMs, work, AbortSignal.any([signal, this.#closed.signal]));
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof DeadlineError ? this.#timeout(what, budgetMs, error) : error;
    }
  }

  #timeout(what: string, budgetMs: number, cause: unknown): HostError {
    return new HostError('HOST_TIMEOUT', this.name, `${what} did not end within ${Math.round(budgetMs)} ms`, {
      details: { what, budget_ms: budgetMs },
      cause,
    });
  }

  /** The live connection. Whoever asks while one is being made waits for that one. */
  async #connect(signal: AbortSignal): Promise<SshConnection> {
    signal.throwIfAborted();
    if (this.#refusal !== null) throw this.#refusal;
    this.#connection ??= this.#makeConnection();
    const making = this.#connection;
    return await withinBudget('connecting', CONNECT_BUDGET_MS + BACK_OFF_MS.last, () => making, signal);
  }

  #makeConnection(): Promise<SshConnection> {
    const making = this.#tryConnecting().then(
      (connection) => {
        this.#failures = 0;
        const forget = () => {
          if (this.#connection === making) this.#connection = null;
        };
        if (connection.lost.aborted) forget();
        connection.lost.addEventListener('abort', forget, { once: true });
        return connection;
      },
      (error: unknown) => {
        this.#connection = null;
        const waitMs = Math.min(BACK_OFF_MS.first * 2 ** this.#failures, BACK_OFF_MS.last);
        this.#failures += 1;
        this.#notBeforeMs = this.#clock.nowMs() + waitMs;
        if (error instanceof HostError && error.code.startsWith('HOST_KEY_')) this.#refusal = error;
        throw error;
      },
    );
    making.catch(() => {}); // told to whoever waits for it, if anybody still does
    return making;
  }

  async #tryConnecting(): Promise<SshConnection> {
    const closed = this.#closed.signal;
    await this.#clock.sleep(this.#notBeforeMs - this.#clock.nowMs(), closed);
    for (let left = DROPPED_TRIES; ; left -= 1) {
      try {
        return await this.#within('connecting', CONNECT_BUDGET_MS, closed, (signal) =>
          SshConnection.open(this.#target, signal),
        );
      } catch (error) {
        const dropped = error instanceof HostError && error.details.dropped === true;
        if (!dropped || left <= 1) throw error;
        await this.#clock.sleep(BACK_OFF_MS.first * 2 ** (DROPPED_TRIES - left), closed);
      }
    }
  }
}
