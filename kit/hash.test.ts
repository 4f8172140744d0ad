import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256, sha256Hex } from './hash.ts';

test('gives the vectors of FIPS 180-4', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256Hex(new Uint8Array())).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});

test('hashing parts is hashing their concatenation', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (parts) => {
      expect(Buffer.from(sha256(...parts)).toString('hex')).toBe(sha256Hex(Buffer.concat(parts)));
    }),
  );
});
