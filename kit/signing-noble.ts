import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { MeshproofError } from './errors.ts';
import { ML_DSA_65, type Signer, type Signing, type SigningStats } from './signing.ts';
import type { SigningJob, SigningResult } from './signing-job.ts';
import { SigningMeter } from './signing-meter.ts';
import { SigningPool } from './signing-pool.ts';
import { hasVerifiableSizes, requireSeed } from './signing-shape.ts';

/** One core stays with the event loop; past four workers a node would be out of its budget anyway. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(4, availableParallelism() - 1));
}

// A view may sit in a large shared buffer, and moving it would move that: workers are given a copy.
const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** ML-DSA-65 by `@noble/post-quantum` on worker threads, for runtimes without it: 7 to 10 times the native CPU. */
export class NobleSigning implements Signing {
  readonly backend = 'noble';
  readonly #pool: SigningPool;
  readonly #meter = new SigningMeter();

  private constructor(pool: SigningPool) {
    this.#pool = pool;
  }

  /** @throws FaultError `SIGNING_WORKER_LOST` or DeadlineError when the workers do not come up */
  static async start(workers: number): Promise<NobleSigning> {
    return new NobleSigning(await SigningPool.start({ workers }));
  }

  freshSeed(): Uint8Array {
    return new Uint8Array(randomBytes(ML_DSA_65.seedBytes));
  }

  async signer(seed: Uint8Array): Promise<Signer> {
    requireSeed(seed);
    const { publicKey, secretKey } = await this.#run({ kind: 'derive', seed: owned(seed) }, 'derived');
    return {
      publicKey,
      sign: async (message) => {
        const startedMs = performance.now();
        const job = { kind: 'sign', secretKey: owned(secretKey), message: owned(message) } as const;
        const { signature } = await this.#run(job, 'signed');
        this.#meter.signed(startedMs);
        return signature;
      },
    };
  }

  async verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (!hasVerifiableSizes(publicKey, signature)) return false;
    const startedMs = performance.now();
    const { valid } = await this.#run(
      { kind: 'verify', publicKey: owned(publicKey), message: owned(message), signature: owned(signature) },
      'verified',
    );
    this.#meter.verified(startedMs);
    return valid;
  }

  stats(): SigningStats {
    const { workers, waiting } = this.#pool;
    return { backend: this.backend, workers, queueDepth: waiting, ...this.#meter.stats() };
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #run<K extends SigningResult['kind']>(
    job: SigningJob,
    kind: K,
  ): Promise<Extract<SigningResult, { kind: K }>> {
    const result = await this.#pool.run(job);
    if (isKind(result, kind)) return result;
    throw new MeshproofError(
      'SIGNING_PROTOCOL',
      `a signing worker answered ${result.kind} instead of ${kind}`,
    );
  }
}

function isKind<K extends SigningResult['kind']>(
  result: SigningResult,
  kind: K,
): result is Extract<SigningResult, { kind: K }> {
  return result.kind === kind;
}
