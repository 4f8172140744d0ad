import type { Writable } from 'node:stream';
import { describeEvent } from './describe-event.ts';
import type { Progress, ProgressEvent } from './progress.ts';

/** Plain lines, stamped with the time of day, for logs and pipes. */
export class PlainProgress implements Progress {
  readonly #out: Writable;
  readonly #wallMs: () => number;

  constructor(out: Writable, wallMs: () => number) {
    this.#out = out;
    this.#wallMs = wallMs;
  }

  show(event: ProgressEvent): void {
    const line = describeEvent(event);
    if (line !== null) this.#out.write(`${new Date(this.#wallMs()).toISOString().slice(11, 19)} ${line}\n`);
  }

  close(): void {}
}
