import pLimit from 'p-limit';
import { type Clock, realClock } from '../../kit/clock.ts';
import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import {
  answerLineSchema,
  type FaultAnswer,
  type FaultOperation,
  type FaultResult,
} from '../../runner/faults/protocol.ts';
import type { Host, HostSession } from '../fleet/host.ts';
import { HostError } from '../fleet/host-error.ts';
import { FAULT_PROGRAM, resultOf, unreadable } from './fault-program-once.ts';

const REQUESTS_UNDER_WAY_MAX = 32; // the program takes 64 at once
const TRY_AGAIN_MS = 250;
/** What a new connection may mend; a wrong host key or a missing right it cannot. */
const LOST_CODES: readonly string[] = [
  'HOST_LOST',
  'HOST_UNREACHABLE',
  'HOST_TIMEOUT',
  'FAULT_PROGRAM_ENDED',
];

interface Session {
  readonly over: HostSession;
  readonly waiting: Map<number, PromiseWithResolvers<FaultAnswer>>;
}

/**
 * The fault program of one host, kept running as root over the host's connection: `serve`. When the session is lost it
 * is started again with the next request; the host itself ends what the lost one held.
 */
export class FaultProgramClient {
  readonly #host: Pick<Host, 'name' | 'session'>;
  readonly #clock: Clock;
  readonly #limit = pLimit(REQUESTS_UNDER_WAY_MAX);
  readonly #closed = new AbortController();
  #session: Promise<Session> | null = null;
  #lastId = 0;

  constructor(host: Pick<Host, 'name' | 'session'>, { clock = realClock }: { readonly clock?: Clock } = {}) {
    this.#host = host;
    this.#clock = clock;
  }

  /**
   * Asks once; a request that its session took with it is asked again over a new one until `budgetMs` are over, which
   * every operation but `restart` bears.
   * @throws HostError when the host is not reached in that time; FaultError with the program's own code when it refuses,
   * `FAULT_PROGRAM_ENDED`, `FAULT_PROGRAM_UNREADABLE`
   */
  async ask<Op extends FaultOperation>(
    op: Op,
    body: object,
    { budgetMs, signal }: { readonly budgetMs: number; readonly signal: AbortSignal },
  ): Promise<FaultResult<Op>> {
    let lastError: unknown = null;
    const tryUntilDone = async (within: AbortSignal): Promise<FaultAnswer> => {
      for (;;) {
        try {
          return await this.#limit(() => this.#askOnce(op, body, within));
        } catch (error) {
          within.throwIfAborted();
          lastError = error;
          if (op === 'restart' || !isLoss(error) || this.#closed.signal.aborted) throw error;
          await this.#clock.sleep(TRY_AGAIN_MS, within);
        }
      }
    };
    try {
      const answer = await withinBudget(`${op} at ${this.#host.name}`, budgetMs, tryUntilDone, signal);
      return resultOf(this.#host.name, op, answer);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof DeadlineError)) throw error;
      if (lastError !== null) throw lastError;
      throw new HostError(
        'HOST_TIMEOUT',
        this.#host.name,
        `its fault program did not answer ${op} in ${budgetMs} ms`,
        {
          cause: error,
        },
      );
    }
  }

  /** Ends the program, which then reverts what this session still holds. */
  async close(): Promise<void> {
    this.#closed.abort(new HostError('HOST_LOST', this.#host.name, 'its fault program was closed here'));
    const session = await this.#session?.catch(() => null);
    await session?.over[Symbol.asyncDispose]();
  }

  async #askOnce(op: FaultOperation, body: object, signal: AbortSignal): Promise<FaultAnswer> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    this.#session ??= this.#start();
    const { over, waiting } = await this.#session;
    signal.throwIfAborted();
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = Promise.withResolvers<FaultAnswer>();
    answered.promise.catch(() => {}); // nobody waits for it any more when the signal was quicker
    waiting.set(id, answered);
    const onAbort = () => answered.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      over.send(JSON.stringify({ id, op, body }));
      return await answered.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      waiting.delete(id);
    }
  }

  /** Whoever asks while it is being started waits for the same one, so no caller's signal ends the attempt. */
  #start(): Promise<Session> {
    const forget = () => {
      if (this.#session === starting) this.#session = null;
    };
    const argv = [...FAULT_PROGRAM, 'serve'];
    const starting = this.#host.session(argv, { as: 'root', signal: this.#closed.signal }).then((over) => {
      const session: Session = { over, waiting: new Map() };
      void this.#follow(session).finally(forget);
      return session;
    });
    starting.catch(forget);
    return starting;
  }

  /** Hands every answer to whoever waits for it; what nobody waits for any more is let go. */
  async #follow({ over, waiting }: Session): Promise<void> {
    let failure: unknown = null;
    try {
      for await (const line of over.lines) {
        const { id, ...answer } = answerLineSchema.parse(JSON.parse(line));
        if (id !== null) waiting.get(id)?.resolve(answer);
        else if (!answer.ok) throw new FaultError(answer.code, `${this.#host.name}: ${answer.message}`);
      }
    } catch (error) {
      failure = error instanceof FaultError ? error : unreadable(this.#host.name, error);
      await over[Symbol.asyncDispose]();
    }
    const { code, stderr } = await over.ended;
    this.#session = null; // who is told now asks a new one
    for (const { reject } of waiting.values()) reject(failure ?? this.#endedError(code, stderr));
  }

  #endedError(code: number | null, stderr: string): FaultError {
    const { name } = this.#host;
    if (code === null) return new HostError('HOST_LOST', name, 'the connection to its fault program ended');
    const said = stderr.trim().split('\n').at(-1) ?? '';
    const why = said === '' ? `code ${code}` : `code ${code}: ${said}`;
    return new FaultError('FAULT_PROGRAM_ENDED', `${name}: its fault program ended (${why})`, {
      details: { host: name, code, said },
    });
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof FaultError && LOST_CODES.includes(error.code);
}
