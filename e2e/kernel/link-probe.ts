import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export const ECHO_PORT = 7;
/** Takes everything and says nothing. */
export const SINK_PORT = 9;
export const SSH_PORT = 22;

export interface ProbeRequest {
  readonly over: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
  readonly count: number;
  readonly every_ms: number;
  readonly bytes: number;
  /** How long answers are waited for after the last question. */
  readonly patience_ms: number;
}

/** `overtaken`: answers that came before one to an earlier question. */
export interface ProbeResult {
  readonly rtts_ms: readonly number[];
  readonly spread_ms: number;
  readonly overtaken: number;
}

const USUAL = {
  over: 'udp',
  port: ECHO_PORT,
  count: 10,
  every_ms: 20,
  bytes: 64,
  patience_ms: 5_000,
} as const;

/** Asks the probing end of a link, one question at a time. */
export class LinkProbe {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  }

  async ask(request: Pick<ProbeRequest, 'address'> & Partial<ProbeRequest>): Promise<ProbeResult> {
    this.#child.stdin?.write(`${JSON.stringify({ ...USUAL, ...request })}\n`);
    return JSON.parse(await this.line());
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('an end of the link has ended');
    return value;
  }

  /** Median round trip, and how many of ten were answered. */
  async look(address: string): Promise<{ readonly rtt_ms: number | null; readonly answered: number }> {
    const { rtts_ms } = await this.ask({ address, patience_ms: 2_000 });
    return { rtt_ms: medianOf(rtts_ms), answered: rtts_ms.length };
  }
}

export function medianOf(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
