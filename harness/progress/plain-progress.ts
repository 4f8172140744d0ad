import type { Writable } from 'node:stream';
import { BoundedOutput } from './bounded-output.ts';
import { describeEvent } from './describe-event.ts';
import type { Progress, ProgressEvent } from './progress.ts';

/** Plain lines, stamped with the time of day, for logs and pipes. */
export class PlainProgress implements Progress {
  readonly #out: BoundedOutput;
  readonly #wallMs: () => number;

  constructor(out: Writable, wallMs: () => number) {
    this.#out = new BoundedOutput(out);
    this.#wallMs = wallMs;
  }

  show(event: ProgressEvent): void {
    const line = describeEvent(event);
    if (line !== null) this.#out.line(`${new Date(this.#wallMs()).toISOString().slice(11, 19)} ${line}`);
  }

  close(): void {
    if (this.#out.dropped > 0) this.#out.line(`${this.#out.dropped} lines were dropped: nobody read them`);
  }
}
