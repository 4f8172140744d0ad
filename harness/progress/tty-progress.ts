import { styleText } from 'node:util';
import { createLogUpdate } from 'log-update';
import { describeEvent, type Tone } from './describe-event.ts';
import { advance, type Board, drawBoard, newBoard } from './live-board.ts';
import type { Progress, ProgressEvent } from './progress.ts';
import { wrapLines } from './wrap-lines.ts';

const REDRAW_EVERY_MS = 500; // the clock and the ETA move even when nothing happens
const FALLBACK = { columns: 80, rows: 24 };
const COLOURS = { good: 'green', bad: 'red', unsure: 'yellow' } as const;

/** A live view for a terminal: what matters scrolls by as lines, the state of the run stays below them. */
export class TtyProgress implements Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #nowMs: () => number;
  readonly #screen: ReturnType<typeof createLogUpdate>;
  #board: Board | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WriteStream, nowMs: () => number) {
    this.#out = out;
    this.#nowMs = nowMs;
    this.#screen = createLogUpdate(out);
  }

  show(event: ProgressEvent): void {
    if (event.event === 'run_started') {
      this.#board = newBoard(event, this.#nowMs());
      this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS).unref();
    } else if (this.#board) {
      this.#board = advance(this.#board, event, this.#nowMs());
    }
    if (event.event === 'judged') this.close();
    const plain = describeEvent(event);
    if (plain !== null) {
      this.#screen.clear();
      this.#out.write(`${this.#fitted(event, plain)}\n`);
    }
    this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#board) this.#screen.clear();
    this.#board = undefined;
    this.#screen.done();
  }

  /** Wrapping counts characters, so colours go in only where nothing has to be wrapped or the whole text has one. */
  #fitted(event: ProgressEvent, plain: string): string {
    const width = this.#out.columns ?? FALLBACK.columns;
    const paint = (tone: Tone, text: string) => styleText(COLOURS[tone], text, { stream: this.#out });
    const wrapped = wrapLines(plain, width);
    if (wrapped === plain) return describeEvent(event, paint) ?? plain;
    const [first = '', ...others] = plain.split('\n');
    if (first.length > width) return wrapped;
    const [painted = first] = (describeEvent(event, paint) ?? plain).split('\n');
    return [painted, ...others.map((line) => wrapLines(line, width))].join('\n');
  }

  #draw(): void {
    if (!this.#board) return;
    const { columns = FALLBACK.columns, rows = FALLBACK.rows } = this.#out;
    this.#screen(drawBoard(this.#board, this.#nowMs(), { columns, rows }));
  }
}
