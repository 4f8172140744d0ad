import type { ProgressEvent } from '../harness/progress/progress.ts';
import { MeshproofProcess } from './meshproof-process.ts';

/** What a run told, and how it ended. */
interface Ended {
  readonly code: number | null;
  /** Of its verdict; empty when there was none. */
  readonly reasons: string;
  readonly events: readonly ProgressEvent[];
  readonly told: string;
}

/**
 * Runs side by side, for those that mostly wait. Each starts when the mesh of the one before stands: it is the start that
 * needs the processors.
 */
export class SideBySide {
  #standing: Promise<unknown> = Promise.resolve();
  readonly #over = new AbortController();
  readonly #runs: Promise<Ended>[] = [];

  /** Begins a run of `args`; `meanwhile` is done to it. A run that is not over after `budgetMs` is ended. */
  begin(
    args: readonly string[],
    {
      budgetMs,
      meanwhile = async () => {},
    }: { readonly budgetMs: number; readonly meanwhile?: (run: MeshproofProcess) => Promise<void> },
  ): Promise<Ended> {
    const before = this.#standing;
    const stands = Promise.withResolvers<void>();
    this.#standing = stands.promise;
    const ended = this.#follow(before, stands.resolve, args, { budgetMs, meanwhile });
    ended.catch(() => {}).finally(stands.resolve); // its own test tells why
    this.#runs.push(ended);
    return ended;
  }

  /** Ends every run that nobody waited for, as when only some tests of a file are run. */
  async close(): Promise<void> {
    this.#over.abort();
    await Promise.allSettled(this.#runs);
  }

  async #follow(
    before: Promise<unknown>,
    stands: () => void,
    args: readonly string[],
    { budgetMs, meanwhile }: Required<Parameters<SideBySide['begin']>[1]>,
  ): Promise<Ended> {
    await before;
    const { signal } = this.#over;
    signal.throwIfAborted();
    await using run = await MeshproofProcess.start('run', ...args);
    const kill = () => void run.child.kill('SIGKILL'); // its processes end with it
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    void run.event('mesh_ready').then(stands, stands); // one that ended instead holds up nobody
    await meanwhile(run);
    const code = await run.exit(budgetMs);
    signal.removeEventListener('abort', kill);
    const reasons = run.find('judged')?.reasons.join('\n') ?? '';
    return { code, reasons, events: run.events, told: run.told() };
  }
}
