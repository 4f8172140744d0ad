import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BytesError } from '../../kit/bytes.ts';
import { writerNamed } from './log-fixture.ts';
import { decodeSyncFrame, encodeSyncFrame, isLogFrame, type SyncFrame } from './sync-frame.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const topic = fc
  .string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
  .filter((text) => text.isWellFormed());
const name = fc.record({
  origin: hash.map((bytes) => Buffer.from(bytes).toString('hex')),
  incarnation: fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('hex')),
});
const { publicKey } = writerNamed('w');
const segment = fc.record({
  name,
  firstSeq: fc.integer({ min: 1, max: 2 ** 40 }),
  payloads: fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 4 }),
  publicKey: fc.constantFrom(publicKey, null),
  signature: fc.uint8Array({ minLength: 3_309, maxLength: 3_309 }),
});
const frame: fc.Arbitrary<SyncFrame> = fc.oneof(
  fc.record({
    kind: fc.constant('heads' as const),
    isAnswer: fc.boolean(),
    heads: fc.array(fc.record({ topic, headHash: hash }), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('vector' as const),
    topic,
    vector: fc.array(
      fc
        .record({ name, lastSeq: fc.nat(), chain: hash })
        .map(({ name: of, ...rest }) => ({ ...of, ...rest })),
      { maxLength: 5 },
    ),
  }),
  fc.record({
    kind: fc.constant('segments' as const),
    topic,
    hasMore: fc.boolean(),
    segments: fc.array(
      segment.map(({ name: of, ...rest }) => ({ ...of, ...rest })),
      { maxLength: 2 },
    ),
  }),
);

test('frames have these bytes', () => {
  const hex = (what: SyncFrame) => Buffer.from(encodeSyncFrame(what)).toString('hex');
  const [origin, chain] = ['ab'.repeat(32), new Uint8Array(32).fill(0xcd)];
  expect(hex({ kind: 'heads', isAnswer: true, heads: [{ topic: 't', headHash: chain }] })).toBe(
    `500101${'0001'}0000000174${'cd'.repeat(32)}`,
  );
  expect(
    hex({ kind: 'vector', topic: 't', vector: [{ origin, incarnation: '01'.repeat(8), lastSeq: 3, chain }] }),
  ).toBe(`5101000000000174${'0001'}${origin}${'01'.repeat(8)}0000000000000003${'cd'.repeat(32)}`);
  const signature = new Uint8Array(3_309);
  const one = {
    origin,
    incarnation: '01'.repeat(8),
    firstSeq: 2,
    payloads: [Buffer.from('x')],
    signature,
    publicKey: null,
  };
  expect(hex({ kind: 'segments', topic: 't', hasMore: false, segments: [one] })).toBe(
    `5201000000000174${'0001'}${origin}${'01'.repeat(8)}0000000000000002${'00'}${'0001'}0000000178${'00'.repeat(3_309)}`,
  );
});

test('every frame comes back as it was, and no cut of it is taken for a whole one', () => {
  fc.assert(
    fc.property(frame, fc.double({ min: 0, max: 0.999, noNaN: true }), (what, share) => {
      const bytes = encodeSyncFrame(what);
      expect(isLogFrame(bytes)).toBe(true);
      const plain = (value: unknown) =>
        JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? [...part] : part));
      expect(JSON.parse(plain(decodeSyncFrame(bytes)))).toEqual(JSON.parse(plain(what)));
      expect(() => decodeSyncFrame(bytes.subarray(0, Math.floor(bytes.length * share)))).toThrow(BytesError);
      expect(() => decodeSyncFrame(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow(BytesError);
    }),
  );
});

test('garbage is refused by name, also when it begins well', () => {
  const beginnings = [
    '',
    '500100',
    '510100',
    '520100',
    '500100ffff',
    '51010000000001740400',
    '520100000000017400ff',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 400 }), (start, tail) => {
      try {
        decodeSyncFrame(Buffer.concat([Buffer.from(start, 'hex'), tail]));
      } catch (error) {
        expect(error).toBeInstanceOf(BytesError);
      }
    }),
    { numRuns: 500 },
  );
});

test('frames of kind 0x50 to 0x5f are the log’s, others are not', () => {
  const own = Array.from({ length: 256 }, (_, kind) => kind).filter((kind) =>
    isLogFrame(Uint8Array.of(kind)),
  );
  expect(own).toEqual(Array.from({ length: 16 }, (_, index) => 0x50 + index));
  expect(() => decodeSyncFrame(Uint8Array.of(0x53, 1, 0))).toThrow('kind');
});
