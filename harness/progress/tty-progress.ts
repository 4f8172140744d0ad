import { createLogUpdate } from 'log-update';
import { describeEvent } from './describe-event.ts';
import { advance, type Board, drawBoard, newBoard } from './live-board.ts';
import type { Progress, ProgressEvent } from './progress.ts';

const REDRAW_EVERY_MS = 500; // the clock and the ETA move even when nothing happens

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
    const line = describeEvent(event);
    if (event.event === 'judged') this.close();
    if (line !== null) {
      this.#screen.clear();
      this.#out.write(`${line}\n`);
    }
    this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#board) this.#screen.clear();
    this.#board = undefined;
    this.#screen.done();
  }

  #draw(): void {
    if (this.#board) this.#screen(drawBoard(this.#board, this.#nowMs(), this.#out.columns ?? 80));
  }
}
