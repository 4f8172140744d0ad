/** Whole lines out of chunks of text. A line longer than the bound is cut to it, and its rest lost. */
export class LineSplitter {
  readonly #maxChars: number;
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(maxChars: number, onLine: (line: string) => void) {
    this.#maxChars = maxChars;
    this.#onLine = onLine;
  }

  push(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, this.#maxChars);
    for (const line of lines) this.#onLine(line.slice(0, this.#maxChars));
  }
}
