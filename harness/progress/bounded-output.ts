import type { Writable } from 'node:stream';

/** What may wait for a reader that does not read; the evidence on disk loses nothing. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Whole lines to `out`; while a stalled reader lets too many wait, lines are dropped and counted. */
export class BoundedOutput {
  readonly #out: Writable;
  #dropped = 0;

  constructor(out: Writable) {
    this.#out = out;
  }

  line(text: string): void {
    if (this.#out.writableLength > MAX_WAITING_BYTES) this.#dropped += 1;
    else this.#out.write(`${text}\n`);
  }

  /** The last line, `tell(dropped)`, which always finds room; nothing when no line was dropped. */
  end(tell: (dropped: number) => string): void {
    if (this.#dropped > 0) this.#out.write(`${tell(this.#dropped)}\n`);
    this.#dropped = 0;
  }
}
