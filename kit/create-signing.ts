import { FaultError } from './errors.ts';
import type { Signing } from './signing.ts';
import { hasNativeMlDsa, NativeSigning } from './signing-native.ts';
import { defaultWorkers, NobleSigning } from './signing-noble.ts';

interface SigningOptions {
  /** `auto` (the default) takes `native` where the runtime has it. */
  readonly backend?: 'native' | 'noble' | 'auto';
  /** Worker threads of the noble backend, at least 1; the native one uses Node's thread pool. */
  readonly workers?: number;
}

/**
 * ML-DSA-65 by the best backend this runtime has, or by the one asked for. The caller closes it.
 * @throws FaultError `SIGNING_BACKEND_UNAVAILABLE` when `native` is asked of a runtime without it,
 * `SIGNING_WORKER_LOST` when noble's workers do not come up
 */
export async function createSigning({ backend = 'auto', workers }: SigningOptions = {}): Promise<Signing> {
  if (backend !== 'noble') {
    if (hasNativeMlDsa()) return new NativeSigning();
    if (backend === 'native') {
      throw new FaultError(
        'SIGNING_BACKEND_UNAVAILABLE',
        `node ${process.version} has no ml-dsa-65; use Node 24.6 or later, or the noble backend`,
        { details: { backend, node: process.version } },
      );
    }
  }
  return await NobleSigning.start(Math.max(1, workers ?? defaultWorkers()));
}
