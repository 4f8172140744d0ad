import { MeshproofError } from './errors.ts';
import { ML_DSA_65 } from './signing.ts';

/** @throws MeshproofError `SIGNING_SEED_SIZE` when `seed` is not 32 bytes */
export function requireSeed(seed: Uint8Array): void {
  if (seed.length === ML_DSA_65.seedBytes) return;
  throw new MeshproofError(
    'SIGNING_SEED_SIZE',
    `an ML-DSA-65 seed has ${ML_DSA_65.seedBytes} bytes, this one has ${seed.length}`,
    { details: { expected_bytes: ML_DSA_65.seedBytes, found_bytes: seed.length } },
  );
}

/** Whether both could be a key and a signature by their sizes; what is not need not cost a verification. */
export function hasVerifiableSizes(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return publicKey.length === ML_DSA_65.publicKeyBytes && signature.length === ML_DSA_65.signatureBytes;
}
