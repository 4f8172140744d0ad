import { DeadlineError, withinBudget } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import type { OutsiderReport } from '../../scenarios/outsiders.ts';
import { LISTENING, type OutsidersConfig, outsidersReport } from './protocol.ts';

const REPORT_BUDGET_MS = 5_000; // the program may be busy with its attack
const UNANSWERED_MAX = 16;
const SAID_MAX_CHARS = 200;

interface TalkModules {
  /** Gives the program a line. */
  readonly say: (line: string) => void;
  /** Rejects when the program ended by itself, with why. */
  readonly gone: Promise<never>;
}

/** Talks with a running program of outsiders, wherever it runs: `heard` is to be given every line that it says. */
export class OutsidersTalk {
  readonly #modules: TalkModules;
  readonly #waiting: ((line: string) => void)[] = [];

  constructor(modules: TalkModules) {
    this.#modules = modules;
    modules.gone.catch(() => {}); // told to whoever asks
  }

  heard(line: string): void {
    this.#waiting.shift()?.(line);
  }

  /** @throws FaultError `OUTSIDERS_GARBLED`, `OUTSIDERS_GONE`, what `gone` rejects with; the reason of `signal` */
  async begin(config: OutsidersConfig, budgetMs: number, signal: AbortSignal): Promise<void> {
    const line = await this.#ask(JSON.stringify(config), budgetMs, signal);
    if (line !== LISTENING) throw garbledError(line);
  }

  /** @throws FaultError `OUTSIDERS_GARBLED`, `OUTSIDERS_GONE`, what `gone` rejects with; the reason of `signal` */
  async report(signal: AbortSignal): Promise<readonly OutsiderReport[]> {
    const line = await this.#ask('report', REPORT_BUDGET_MS, signal);
    return reportsIn(line);
  }

  async #ask(line: string, budgetMs: number, signal: AbortSignal): Promise<string> {
    const { say, gone } = this.#modules;
    if (this.#waiting.length >= UNANSWERED_MAX) throw silentError(`${UNANSWERED_MAX} questions`);
    const answer = new Promise<string>((resolve) => this.#waiting.push(resolve));
    say(line);
    try {
      const told = () => Promise.race([answer, gone]);
      return await withinBudget('an answer of the outsiders', budgetMs, told, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof DeadlineError ? silentError(`a question within ${budgetMs} ms`) : error;
    }
  }
}

function silentError(what: string): FaultError {
  return new FaultError('OUTSIDERS_GONE', `the outsiders did not answer ${what}`);
}

function garbledError(line: string, cause?: unknown): FaultError {
  const said = line.slice(0, SAID_MAX_CHARS);
  return new FaultError('OUTSIDERS_GARBLED', `the outsiders did not answer as agreed: ${said}`, {
    details: { said },
    cause,
  });
}

function reportsIn(line: string): readonly OutsiderReport[] {
  try {
    return outsidersReport.parse(JSON.parse(line)).map((one) => ({
      kind: one.kind,
      dialled: one.dialled,
      handshakes: one.handshakes,
      refused: one.refused,
      lastRefusal: one.last_refusal,
      framesSent: one.frames_sent,
      closedByPeer: one.closed_by_peer,
    }));
  } catch (cause) {
    throw garbledError(line, cause);
  }
}
