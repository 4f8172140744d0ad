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
    const text = describeEvent(event);
    if (text === null) return;
    const stamp = new Date(this.#wallMs()).toISOString().slice(11, 19);
    this.#out.line(`${stamp} ${text.replaceAll('\n', `\n${' '.repeat(stamp.length + 1)}`)}`);
  }

  close(): void {
    this.#out.end((lines) => `${lines} lines were dropped: nobody read them`);
  }
}
