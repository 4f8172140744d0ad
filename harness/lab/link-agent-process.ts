import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { withinBudget } from '../../kit/deadline.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { type ChildExit, MeshChild } from './child-process.ts';
import {
  type AgentAnswer,
  type AgentOp,
  type AgentRequest,
  type AnswerLine,
  answerLine,
  answers,
} from './link-agent/protocol.ts';

const START_BUDGET_MS = 15_000; // two busy cores
const ANSWER_BUDGET_MS = 5_000; // it works in memory; it is the machine that may be slow
const SAID_MAX_CHARS = 200;

type RequestOf<Op extends AgentOp> = Extract<AgentRequest, { op: Op }>;

interface Waiting {
  readonly take: (result: unknown) => void;
  readonly fail: (error: FaultError) => void;
}

/** The link agent (`link-agent/main.ts`) as a child process, asked one request per line. */
export class LinkAgentProcess {
  readonly #child: MeshChild;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  private constructor(program: string, seed: number) {
    this.#child = new MeshChild('link agent', [program, String(seed)], {
      onLine: (line) => this.#answered(line),
    });
    void this.#child.exited.then((exit) => this.#failAll(goneError(exit)));
  }

  /** @throws FaultError `CHILD_NOT_LISTENING` */
  static async start(
    seed: number,
    signal: AbortSignal,
    program: string = programPath(),
  ): Promise<LinkAgentProcess> {
    const agent = new LinkAgentProcess(program, seed);
    try {
      await agent.#child.listening(START_BUDGET_MS, signal);
      return agent;
    } catch (error) {
      await agent.stop();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it is gone; `unasked` is a failure of the harness, with every fault and every link gone too. */
  get exited(): Promise<ChildExit> {
    return this.#child.exited;
  }

  /** What became of it, or `undefined` while it runs. */
  get exit(): ChildExit | undefined {
    return this.#child.exit;
  }

  /**
   * @param budgetMs time for the answer, beyond what the request itself takes
   * @throws FaultError `LINK_AGENT_GONE`, `LINK_AGENT_GARBLED`, or with the code that the agent gave; DeadlineError
   */
  async ask<Op extends AgentOp>(
    request: RequestOf<Op>,
    signal: AbortSignal,
    budgetMs: number = ANSWER_BUDGET_MS,
  ): Promise<AgentAnswer<Op>> {
    if (this.#child.exit) throw goneError(this.#child.exit);
    this.#asked += 1;
    const id = this.#asked;
    const result = new Promise<unknown>((take, fail) => this.#waiting.set(id, { take, fail }));
    result.catch(() => {}); // told by the wait below, unless that ended before
    this.#child.send(JSON.stringify({ id, request }));
    try {
      const answered = await withinBudget(
        `the link agent's answer to ${request.op}`,
        budgetMs,
        () => result,
        signal,
      );
      const parsed = answers[request.op].safeParse(answered);
      if (parsed.success) return parsed.data as AgentAnswer<Op>; // the compiler cannot pair answer and request
      throw garbledError(String(JSON.stringify(answered)), parsed.error);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Ends it; it undoes every fault that stands. */
  stop(): Promise<ChildExit> {
    return this.#child.stop();
  }

  #answered(line: string): void {
    let answer: AnswerLine;
    try {
      answer = answerLine.parse(JSON.parse(line));
    } catch (cause) {
      this.#failAll(garbledError(line, cause)); // any of them may be the one that it was meant for
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return; // nobody waits for it any more
    if (answer.ok) waiting.take(answer.result);
    else waiting.fail(new FaultError(answer.code, `link agent: ${answer.message}`));
  }

  #failAll(error: FaultError): void {
    for (const { fail } of this.#waiting.values()) fail(error);
    this.#waiting.clear();
  }
}

function goneError({ code, signal, lastWords }: ChildExit): FaultError {
  const why = lastWords.at(-1) ?? (signal === null ? `code ${code}` : signal);
  return new FaultError('LINK_AGENT_GONE', `the link agent ended, and every link with it: ${why}`, {
    details: { code, signal, last_words: lastWords },
  });
}

function garbledError(line: string, cause: unknown): FaultError {
  const said = line.length > SAID_MAX_CHARS ? `${line.slice(0, SAID_MAX_CHARS)}…` : line;
  return new FaultError('LINK_AGENT_GARBLED', `the link agent did not answer as agreed: ${said}`, {
    details: { said, why: messageOf(cause).slice(0, SAID_MAX_CHARS) },
    cause,
  });
}

/** Beside the built command in a package, a source in a checkout. */
function programPath(): string {
  const built = join(import.meta.dirname, 'link-agent.js');
  return existsSync(built) ? built : join(import.meta.dirname, 'link-agent/main.ts');
}
