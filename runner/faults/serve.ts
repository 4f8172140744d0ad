import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { FaultError, UsageError } from '../../kit/errors.ts';
import { failureAnswer } from './answer.ts';
import { type FaultProgram, parseRequest } from './fault-program.ts';
import { type FaultAnswerLine, type FaultOperation, type LeaseKey, requestLineSchema } from './protocol.ts';
import { readLines } from './read-lines.ts';

const REQUESTS_UNDER_WAY_MAX = 64;
const LEASES_MAX = 1_024;

/** Operations that change the host take turns; looking and probing do not wait for them. */
const IN_TURN: readonly FaultOperation[] = ['apply', 'renew', 'revert', 'doctor'];

interface Streams {
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the session as the end of the input does. */
  readonly signal: AbortSignal;
}

/**
 * Answers request lines until the input ends, then reverts every lease that this session applied. Whoever holds the
 * other end of the pipe holds the faults: a lost connection heals the host without waiting for the leases to expire.
 */
export class FaultSession {
  readonly #program: FaultProgram;
  readonly #held = new Map<string, LeaseKey>();
  readonly #underWay = new Set<Promise<void>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(program: FaultProgram) {
    this.#program = program;
  }

  /** @throws FaultError when a lease of this session could not be reverted at the end */
  async serve({ input, output, signal }: Streams): Promise<void> {
    const ending = new AbortController();
    const end = () => {
      ending.abort(new FaultError('SESSION_ENDING', 'the session is ending and begins nothing new'));
      input.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    output.on('error', end); // nobody reads the answers
    if (signal.aborted) end();
    try {
      for await (const line of readLines(input)) {
        this.#begin(line, output, ending.signal);
        if (this.#underWay.size >= REQUESTS_UNDER_WAY_MAX) await Promise.race(this.#underWay);
      }
    } catch (error) {
      if (!ending.signal.aborted) await say(output, { id: null, ...failureAnswer(error) });
    } finally {
      end();
      await this.#turn; // a change under way is finished before it is taken back
      await this.#revertHeld();
      await Promise.all(this.#underWay);
    }
  }

  #begin(line: string, output: Writable, signal: AbortSignal): void {
    const work = this.#answer(line, signal).then((answer) => say(output, answer));
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #answer(line: string, signal: AbortSignal): Promise<FaultAnswerLine> {
    let id: number | null = null;
    try {
      const request = requestLineSchema.parse(parseJson(line));
      id = request.id;
      return { id, ok: true, result: await this.#handle(request.op, request.body, signal) };
    } catch (error) {
      return { id, ...failureAnswer(error) };
    }
  }

  async #handle(op: FaultOperation, body: unknown, signal: AbortSignal): Promise<unknown> {
    if (!IN_TURN.includes(op)) return await this.#program.handle(op, body, signal);
    const turn = this.#turn.then(() => this.#change(op, body, signal));
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #change(op: FaultOperation, body: unknown, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    if (op === 'apply') this.#hold(parseRequest('apply', body).lease);
    const result = await this.#program.handle(op, body, signal);
    if (op === 'revert') {
      const { run_id, lease_ids } = parseRequest('revert', body);
      for (const lease_id of lease_ids) this.#held.delete(nameOf({ run_id, lease_id }));
    }
    return result;
  }

  /** Before it is applied, so that one that was applied by halves is reverted too. */
  #hold({ run_id, lease_id }: LeaseKey): void {
    if (this.#held.size >= LEASES_MAX) {
      throw new UsageError('TOO_MANY_LEASES', `a session holds at most ${LEASES_MAX} leases`);
    }
    this.#held.set(nameOf({ run_id, lease_id }), { run_id, lease_id });
  }

  /** All are tried, also when one fails; then the first failure is thrown. */
  async #revertHeld(): Promise<void> {
    const failures: unknown[] = [];
    const byRun = Map.groupBy(this.#held.values(), ({ run_id }) => run_id);
    for (const [run_id, keys] of byRun) {
      const ids = keys.map(({ lease_id }) => lease_id);
      for (let at = 0; at < ids.length; at += 256) {
        const lease_ids = ids.slice(at, at + 256);
        await this.#program.handle('revert', { run_id, lease_ids }).catch((error) => failures.push(error));
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

async function say(output: Writable, answer: FaultAnswerLine): Promise<void> {
  if (output.destroyed || output.errored) return;
  if (!output.write(`${JSON.stringify(answer)}\n`)) {
    await Promise.race([once(output, 'drain'), once(output, 'close')]).catch(() => {});
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new UsageError('BAD_REQUEST', `a request is one line of JSON; got ${line.slice(0, 100)}`, {
      cause,
    });
  }
}

function nameOf({ run_id, lease_id }: LeaseKey): string {
  return `${run_id} ${lease_id}`;
}
