import { Worker } from 'node:worker_threads';
import { BoundedQueue } from './bounded.ts';
import { withinBudget } from './deadline.ts';
import { FaultError, messageOf } from './errors.ts';
import type { SigningJob, SigningResult } from './signing-job.ts';

const WORKER_FILE = new URL(
  import.meta.url.endsWith('.ts') ? './signing-worker.ts' : './signing-worker.js',
  import.meta.url,
);
const MAX_WAITING = 1_024; // 1.5 s of verifications for four workers; a longer queue outlives every budget
const START_BUDGET_MS = 15_000;

interface PoolOptions {
  readonly workers: number;
  readonly maxWaiting?: number;
  /** What the workers run; a test may bring its own. */
  readonly workerFile?: URL;
}

interface Waiting {
  readonly job: SigningJob;
  readonly resolve: (result: SigningResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Seat {
  readonly worker: Worker;
  current: Waiting | null;
  started: boolean;
}

function bytesOf(job: SigningJob): ArrayBuffer[] {
  return Object.values(job).flatMap((field) => (field instanceof Uint8Array ? [field.buffer] : []));
}

/**
 * Worker threads that do one signing job at a time each, first come first served. A worker that dies fails its job
 * and is replaced, unless it died while starting: then its replacement would too.
 */
export class SigningPool {
  readonly #workerFile: URL;
  readonly #seats = new Set<Seat>();
  readonly #waiting: BoundedQueue<Waiting>;
  #closed = false;

  private constructor(workerFile: URL, maxWaiting: number) {
    this.#workerFile = workerFile;
    this.#waiting = new BoundedQueue({ max: maxWaiting, full: 'refuse' });
  }

  /** @throws FaultError `SIGNING_WORKER_LOST` or DeadlineError when the workers do not come up */
  static async start({
    workers,
    maxWaiting = MAX_WAITING,
    workerFile = WORKER_FILE,
  }: PoolOptions): Promise<SigningPool> {
    const pool = new SigningPool(workerFile, maxWaiting);
    try {
      await withinBudget('the start of the signing workers', START_BUDGET_MS, () =>
        Promise.all(Array.from({ length: workers }, () => pool.#seat())),
      );
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  get workers(): number {
    return this.#seats.size;
  }

  /** Jobs that no worker has begun. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Moves the job's bytes to a worker: the caller must own them.
   * @throws FaultError `SIGNING_QUEUE_FULL`, `SIGNING_CLOSED`, `SIGNING_WORKER_LOST` or `SIGNING_FAILED`
   */
  run(job: SigningJob): Promise<SigningResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new FaultError('SIGNING_CLOSED', 'signing has been closed'));
      if (this.#seats.size === 0) return reject(lost('no signing worker is left'));
      if (this.#waiting.push({ job, resolve, reject }) === 'refused') {
        const max = this.#waiting.capacity;
        const message = `${max} signing jobs are waiting already; slow down`;
        return reject(new FaultError('SIGNING_QUEUE_FULL', message, { details: { max_waiting: max } }));
      }
      this.#assign();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const seats = [...this.#seats];
    this.#seats.clear();
    const closed = new FaultError('SIGNING_CLOSED', 'signing was closed before this job was done');
    for (const seat of seats) seat.current?.reject(closed);
    this.#failWaiting(closed);
    await Promise.all(seats.map((seat) => seat.worker.terminate()));
  }

  #seat(): Promise<void> {
    return new Promise((resolve, reject) => {
      const seat: Seat = { worker: new Worker(this.#workerFile), current: null, started: false };
      this.#seats.add(seat);
      let cause: unknown;
      seat.worker.on('error', (error) => {
        cause = error;
      });
      seat.worker.once('exit', (code) => {
        const why = cause === undefined ? `exit code ${code}` : messageOf(cause);
        const error = lost(`a signing worker ended: ${why}`, cause);
        reject(error);
        this.#leave(seat, error);
      });
      seat.worker.on('message', (result: SigningResult) => {
        if (result.kind === 'ready') {
          seat.started = true;
          if (seat.current === null) seat.worker.unref(); // only a busy worker keeps the process alive
          resolve();
        } else this.#finish(seat, result);
        this.#assign();
      });
    });
  }

  #finish(seat: Seat, result: SigningResult): void {
    const done = seat.current;
    seat.current = null;
    seat.worker.unref();
    if (result.kind === 'failed') done?.reject(new FaultError('SIGNING_FAILED', result.why));
    else done?.resolve(result);
  }

  #leave(seat: Seat, error: FaultError): void {
    if (!this.#seats.delete(seat)) return; // closed, and answered by close()
    seat.current?.reject(error);
    if (seat.started && !this.#closed) this.#seat().catch(() => {}); // its own #leave answers whoever waits
    if (this.#seats.size === 0) this.#failWaiting(error);
    else this.#assign();
  }

  #assign(): void {
    for (const seat of this.#seats) {
      if (seat.current !== null) continue;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      seat.current = next;
      seat.worker.ref();
      seat.worker.postMessage(next.job, bytesOf(next.job));
    }
  }

  #failWaiting(error: FaultError): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      next.reject(error);
  }
}

function lost(message: string, cause?: unknown): FaultError {
  return new FaultError('SIGNING_WORKER_LOST', message, { cause });
}
