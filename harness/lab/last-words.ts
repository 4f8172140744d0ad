import { BoundedQueue } from '../../kit/bounded.ts';

const LINES_MAX = 20;
const LINE_MAX_CHARS = 2_000;

/** The last lines of a stream of text, whole even when a line comes in pieces; older ones and overlong tails are lost. */
export class LastWords {
  readonly #lines = new BoundedQueue<string>({ max: LINES_MAX, full: 'drop-oldest' });
  #rest = '';

  push(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, LINE_MAX_CHARS);
    for (const line of lines) this.#add(line);
  }

  /** The lines so far, an unfinished one included; nothing is left behind. */
  take(): readonly string[] {
    this.#add(this.#rest);
    this.#rest = '';
    const taken: string[] = [];
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) taken.push(line);
    return taken;
  }

  #add(line: string): void {
    if (line.trim() !== '') this.#lines.push(line.slice(0, LINE_MAX_CHARS));
  }
}
