import type { Writable } from 'node:stream';
import { BoundedOutput } from './bounded-output.ts';
import type { Progress, ProgressEvent } from './progress.ts';

/** One JSON object per line, for machines; what a stalled reader missed is told at the end. */
export class JsonProgress implements Progress {
  readonly #out: BoundedOutput;

  constructor(out: Writable) {
    this.#out = new BoundedOutput(out);
  }

  show(event: ProgressEvent): void {
    this.#out.line(JSON.stringify(event));
  }

  close(): void {
    this.#out.end((events) => JSON.stringify({ event: 'dropped', events }));
  }
}
