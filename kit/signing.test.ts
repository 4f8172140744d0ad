import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSigning } from './create-signing.ts';
import { sha256Hex } from './hash.ts';
import { ML_DSA_65, type Signing } from './signing.ts';

let native: Signing;
let noble: Signing;

beforeAll(async () => {
  native = await createSigning({ backend: 'native' });
  noble = await createSigning({ backend: 'noble', workers: 1 });
});
afterAll(() => Promise.all([native.close(), noble.close()]));

const seed = new Uint8Array(32).map((_, index) => index);
const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);

test('the seed 00..1f gives one known public key on both backends', async () => {
  for (const signing of [native, noble]) {
    const { publicKey } = await signing.signer(seed);
    expect(sha256Hex(publicKey)).toBe('d666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9');
  }
});

test('any seed gives the same public key on both backends, and each verifies what the other signs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 200 }),
      async (anySeed, message) => {
        const [ours, theirs] = await Promise.all([native.signer(anySeed), noble.signer(anySeed)]);
        expect(Buffer.from(ours.publicKey)).toEqual(Buffer.from(theirs.publicKey));
        expect(await native.verify(ours.publicKey, message, await theirs.sign(message))).toBe(true);
        expect(await noble.verify(ours.publicKey, message, await ours.sign(message))).toBe(true);
      },
    ),
    { numRuns: 10 },
  );
});

describe.each(['native', 'noble'] as const)('%s', (backend) => {
  const signing = () => (backend === 'native' ? native : noble);

  test('a tampered signature, message or key, or another key, is false', async () => {
    const signer = await signing().signer(seed);
    const other = await signing().signer(signing().freshSeed());
    const message = new TextEncoder().encode('to be signed');
    const signature = await signer.sign(message);
    const verify = (key: Uint8Array, text: Uint8Array, proof: Uint8Array) =>
      signing().verify(key, text, proof);
    expect(await verify(signer.publicKey, message, signature)).toBe(true);
    for (const at of [0, 1_000, ML_DSA_65.signatureBytes - 1]) {
      expect(await verify(signer.publicKey, message, flip(signature, at))).toBe(false);
    }
    for (const at of [0, 40, ML_DSA_65.publicKeyBytes - 1]) {
      expect(await verify(flip(signer.publicKey, at), message, signature)).toBe(false);
    }
    expect(await verify(signer.publicKey, flip(message, 3), signature)).toBe(false);
    expect(await verify(other.publicKey, message, signature)).toBe(false);
  });

  test('garbage of any size is false and never throws', async () => {
    const sized = (bytes: number) =>
      fc.oneof(fc.uint8Array({ minLength: bytes, maxLength: bytes }), fc.uint8Array());
    await fc.assert(
      fc.asyncProperty(
        sized(ML_DSA_65.publicKeyBytes),
        sized(ML_DSA_65.signatureBytes),
        async (key, signature) => {
          expect(await signing().verify(key, seed, signature)).toBe(false);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('many at once all come back, bytes of a larger buffer included, and are counted with percentiles', async () => {
    const pooled = Buffer.alloc(10_000, 7);
    const message = pooled.subarray(100, 164);
    const signer = await signing().signer(seed);
    const before = signing().stats();
    const signature = await signer.sign(message);
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        signing().verify(signer.publicKey, message, index % 2 === 0 ? signature : flip(signature, index)),
      ),
    );
    expect(verdicts).toEqual(Array.from({ length: 20 }, (_, index) => index % 2 === 0));
    const after = signing().stats();
    expect(after.backend).toBe(backend);
    expect(after.signsTotal - before.signsTotal).toBe(1);
    expect(after.verifiesTotal - before.verifiesTotal).toBe(20);
    expect(after.verifyMs.p50).toBeGreaterThan(0);
    expect(after.verifyMs.p99).toBeGreaterThanOrEqual(after.verifyMs.p50 ?? Number.POSITIVE_INFINITY);
    expect(after.queueDepth).toBe(0);
    expect(pooled.length).toBe(10_000); // still ours: nothing was moved away from under the caller
  });

  test('a seed of another size is refused by name', async () => {
    await expect(signing().signer(new Uint8Array(31))).rejects.toMatchObject({ code: 'SIGNING_SEED_SIZE' });
  });
});

test('percentiles are null before use', async () => {
  const signing = await createSigning();
  expect(signing.stats()).toMatchObject({
    signsTotal: 0,
    signMs: { p50: null, p99: null },
    verifyMs: { p50: null },
  });
  await signing.close();
});
