import type { Writable } from 'node:stream';
import type { Progress, ProgressEvent } from './progress.ts';

/** One JSON object per line, for machines. */
export class JsonProgress implements Progress {
  readonly #out: Writable;

  constructor(out: Writable) {
    this.#out = out;
  }

  show(event: ProgressEvent): void {
    this.#out.write(`${JSON.stringify(event)}\n`);
  }

  close(): void {}
}
