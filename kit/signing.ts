/** ML-DSA-65 (FIPS 204), empty context. Sizes in bytes. */
export const ML_DSA_65 = { publicKeyBytes: 1952, signatureBytes: 3309, seedBytes: 32 } as const;

/** Holds one secret key, expanded and ready to sign. */
export interface Signer {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** What the crypto backend has done and has waiting; behind `/diagnostics/runtime`. Percentiles are null before use. */
export interface SigningStats {
  readonly backend: 'native' | 'noble';
  readonly workers: number;
  readonly queueDepth: number;
  readonly signsTotal: number;
  readonly verifiesTotal: number;
  readonly signMs: { readonly p50: number | null; readonly p99: number | null };
  readonly verifyMs: { readonly p50: number | null; readonly p99: number | null };
}

/**
 * ML-DSA-65 whichever way this runtime does it best: `node:crypto` where it has `ml-dsa-65`, otherwise
 * `@noble/post-quantum` in a pool of worker threads. Both make and accept the same bytes.
 */
export interface Signing {
  readonly backend: 'native' | 'noble';
  /** A fresh 32-byte seed (FIPS 204's xi), from which `signer` derives the key pair. */
  freshSeed(): Uint8Array;
  signer(seed: Uint8Array): Promise<Signer>;
  /** False for anything that is not a valid signature, malformed keys and signatures included; never throws for them. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  stats(): SigningStats;
  close(): Promise<void>;
}
