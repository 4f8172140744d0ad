import {
  createPrivateKey,
  createPublicKey,
  sign as cryptoSign,
  verify as cryptoVerify,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { LRUCache } from 'lru-cache';
import { sha256Hex } from './hash.ts';
import { ML_DSA_65, type Signer, type Signing, type SigningStats } from './signing.ts';
import { SigningMeter } from './signing-meter.ts';
import { hasVerifiableSizes, requireSeed } from './signing-shape.ts';

// RFC 9881: the DER that stands before the 32-byte seed in PKCS #8, and before the raw key in SubjectPublicKeyInfo.
const PKCS8_BEFORE_SEED = Buffer.from('3034020100300b060960864801650304031204228020', 'hex');
const SPKI_BEFORE_KEY = Buffer.from('308207b2300b0609608648016503040312038207a100', 'hex');

/** SHA-256 of the public key that FIPS 204 derives from a seed of 32 zero bytes. */
const PUBLIC_KEY_OF_ZERO_SEED = '085ba380ff386dd52e42349c6eb88489d6058ea541a4e3fb0dce9a3fd1f7a911';

const MAX_CACHED_PUBLIC_KEYS = 512; // an import costs a quarter of a verification

/**
 * Verifications per turn of the event loop that run on the calling thread; further ones go to the thread pool.
 * Measured on 2 cores: a hand-over costs 0.05 ms of CPU per verification of 0.17 ms when they come singly and
 * 0.01 ms when 32 are in flight. So a trickle stays here, and a burst blocks the loop for at most 0.7 ms.
 */
const VERIFIES_PER_TURN = 4;

function importSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_BEFORE_SEED, seed]), format: 'der', type: 'pkcs8' });
}

function importPublicKey(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_BEFORE_KEY, publicKey]), format: 'der', type: 'spki' });
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(SPKI_BEFORE_KEY.length));
}

/** Whether this runtime's `node:crypto` has ML-DSA-65 and derives the known public key from a known seed. */
export function hasNativeMlDsa(): boolean {
  try {
    return (
      sha256Hex(rawPublicKey(importSeed(new Uint8Array(ML_DSA_65.seedBytes)))) === PUBLIC_KEY_OF_ZERO_SEED
    );
  } catch {
    return false; // Node before 24.6 or another TLS library: the algorithm is unknown to it
  }
}

function signOnPool(message: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    cryptoSign(null, message, key, (error, signature) => (error ? reject(error) : resolve(signature)));
  });
}

function verifyOnPool(message: Uint8Array, key: KeyObject, signature: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    cryptoVerify(null, message, key, signature, (error, valid) => (error ? reject(error) : resolve(valid)));
  });
}

/** ML-DSA-65 by `node:crypto`. Signing (0.9 ms) always runs on the thread pool, which costs it 4 % more CPU. */
export class NativeSigning implements Signing {
  readonly backend = 'native';
  readonly #publicKeys = new LRUCache<string, KeyObject>({ max: MAX_CACHED_PUBLIC_KEYS });
  readonly #meter = new SigningMeter();
  #onPool = 0;
  #leftThisTurn = VERIFIES_PER_TURN;

  freshSeed(): Uint8Array {
    return new Uint8Array(randomBytes(ML_DSA_65.seedBytes));
  }

  async signer(seed: Uint8Array): Promise<Signer> {
    requireSeed(seed);
    const key = importSeed(seed);
    return {
      publicKey: rawPublicKey(key),
      sign: async (message) => {
        const startedMs = performance.now();
        const signature = await this.#counted(signOnPool(message, key));
        this.#meter.signed(startedMs);
        return signature;
      },
    };
  }

  async verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (!hasVerifiableSizes(publicKey, signature)) return false;
    const startedMs = performance.now();
    const key = this.#publicKey(publicKey);
    const valid = this.#takeTurn()
      ? cryptoVerify(null, message, key, signature)
      : await this.#counted(verifyOnPool(message, key, signature));
    this.#meter.verified(startedMs);
    return valid;
  }

  stats(): SigningStats {
    return { backend: this.backend, workers: 0, queueDepth: this.#onPool, ...this.#meter.stats() };
  }

  async close(): Promise<void> {
    this.#publicKeys.clear();
  }

  #publicKey(bytes: Uint8Array): KeyObject {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const cached = this.#publicKeys.get(name);
    if (cached) return cached;
    const key = importPublicKey(bytes); // every string of the right length is a public key
    this.#publicKeys.set(name, key);
    return key;
  }

  #takeTurn(): boolean {
    if (this.#leftThisTurn === 0) return false;
    if (this.#leftThisTurn === VERIFIES_PER_TURN) {
      setImmediate(() => {
        this.#leftThisTurn = VERIFIES_PER_TURN;
      });
    }
    this.#leftThisTurn -= 1;
    return true;
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    this.#onPool += 1;
    try {
      return await work;
    } finally {
      this.#onPool -= 1;
    }
  }
}
