import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../kit/hash.ts';
import { encodeBurstPayload, readBurstPayload, smallestBurstPayload } from './burst-payload.ts';

const GOLDEN = { burstId: 'b1', seq: 7, total: 200, sentUnixMs: 1_800_000_000_123, seed: 42 };
const message = fc.record({
  burstId: fc.stringMatching(/^[\x21-\x7e]{1,64}$/),
  seq: fc.nat(0xffff_ffff),
  total: fc.nat(0xffff_ffff),
  sentUnixMs: fc.nat(Number.MAX_SAFE_INTEGER),
  seed: fc.nat(0xffff_ffff),
});

describe('burst payloads', () => {
  it('have a fixed form', () => {
    const bytes = encodeBurstPayload(GOLDEN, smallestBurstPayload('b1'));
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '4d50425552535431' + // MPBURST1
        '3fbf8165200874c6c77641a81c3a9fc9' + // half of SHA-256 of what follows
        '00000002' +
        '6231' +
        '00000007' +
        '000000c8' +
        '000001a3185c507b' +
        '0000002a',
    );
    expect(sha256Hex(encodeBurstPayload(GOLDEN, 4_096))).toBe(
      '5a41100009d8620d6c82bdbf27568140751ded7b32d6f79b9dd2c7297b012958',
    );
  });

  it('have exactly the size asked for and describe themselves', () => {
    fc.assert(
      fc.property(message, fc.nat(5_000), (described, fillerBytes) => {
        const size = smallestBurstPayload(described.burstId) + fillerBytes;
        const payload = encodeBurstPayload(described, size);
        expect(payload.length).toBe(size);
        expect(readBurstPayload(payload)).toEqual({ found: 'message', message: described });
      }),
    );
  });

  it('differ between any two messages of a burst, and are the same for the same seed', () => {
    const first = encodeBurstPayload(GOLDEN, 4_096);
    expect(encodeBurstPayload(GOLDEN, 4_096)).toEqual(first);
    const next = encodeBurstPayload({ ...GOLDEN, seq: 8 }, 4_096);
    expect(sha256Hex(next.subarray(100))).not.toBe(sha256Hex(first.subarray(100)));
  });

  it('are corrupted, or not recognised, after any change of a single byte or any cut', () => {
    const whole = encodeBurstPayload(GOLDEN, 300);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Uint8Array.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        expect(readBurstPayload(damaged).found).toBe(at < 8 ? 'foreign' : 'corrupted');
        expect(readBurstPayload(whole.subarray(0, at)).found).toBe(at < 8 ? 'foreign' : 'corrupted');
      }),
    );
  });

  it('are not found in noise, which is read without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        expect(readBurstPayload(noise).found).toBe('foreign');
        const posing = Buffer.concat([Buffer.from('MPBURST1'), noise]);
        expect(readBurstPayload(posing).found).toBe('corrupted');
      }),
    );
  });

  it('refuse a size that cannot hold the header', () => {
    expect(() => encodeBurstPayload(GOLDEN, smallestBurstPayload('b1') - 1)).toThrow(RangeError);
    expect(() => encodeBurstPayload(GOLDEN, 1_048_577)).toThrow(RangeError);
  });
});
