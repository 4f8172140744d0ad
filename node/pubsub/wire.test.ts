import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BytesError, ByteWriter } from '../../kit/bytes.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { MerkleTree } from '../../kit/merkle.ts';
import {
  BUCKETS,
  type ControlFrame,
  decodeControl,
  encodeControl,
  isGossipControl,
} from './control-frame.ts';
import { eagerFrame, messageBytes, readEagerHeader, rewriteHeader } from './eager-frame.ts';
import {
  batchRoot,
  type MessageBody,
  messageId,
  readMessage,
  type SignedMessage,
  writeMessage,
} from './message.ts';
import { fromHex, toHex } from './wire-hex.ts';

const MAX_PAYLOAD = 1_048_576;
const body: MessageBody = {
  origin: '0b'.repeat(32),
  incarnation: '0102030405060708',
  seq: 7,
  topic: 'golden/topic',
  payload: Buffer.from('golden payload'),
};
const signature = new Uint8Array(3309).fill(0x5a);
const golden: SignedMessage = {
  ...body,
  id: messageId(body),
  proof: { leafIndex: 0, treeSize: 1, path: [], signature },
};
const hex = (count: number) => fc.uint8Array({ minLength: count, maxLength: count }).map(toHex);
const topics = fc
  .string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
  .filter((topic) => topic.isWellFormed());
const entries = fc.array(fc.record({ id: hex(32), hops: fc.nat(255) }), { maxLength: 20 });
const bodies: fc.Arbitrary<MessageBody> = fc.record({
  origin: hex(32),
  incarnation: hex(8),
  seq: fc.nat(Number.MAX_SAFE_INTEGER),
  topic: topics,
  payload: fc.uint8Array({ maxLength: 200 }),
});

const controlFrames: fc.Arbitrary<ControlFrame> = fc.oneof(
  fc.record({
    kind: fc.constant('ihave' as const),
    topics: fc.array(fc.record({ topic: topics, entries }), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('iwant' as const), ids: fc.array(hex(32), { maxLength: 30 }) }),
  fc.record({ kind: fc.constantFrom('graft' as const, 'prune' as const), topic: topics }),
  fc.record({ kind: fc.constantFrom('graft' as const, 'prune' as const), topic: topics, origin: hex(32) }),
  fc.record({
    kind: fc.constant('summary' as const),
    topics: fc.array(fc.record({ topic: topics, count: fc.nat(), setHash: hex(8) }), { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('buckets' as const),
    topic: topics,
    setHashes: fc.array(hex(8), { minLength: BUCKETS, maxLength: BUCKETS }),
  }),
  fc.record({ kind: fc.constant('digest' as const), topic: topics, mask: hex(8), entries }),
  fc.record({ kind: fc.constant('keyWant' as const), agentId: hex(32) }),
  fc.record({
    kind: fc.constant('key' as const),
    publicKey: fc.uint8Array({ minLength: 1952, maxLength: 1952 }),
  }),
);

describe('a message on the wire', () => {
  it('has the bytes and the id that other versions know', () => {
    const wire = writeMessage(new ByteWriter(), golden).finish();
    const head = `01${'0b'.repeat(32)}01020304050607080000000000000007000c676f6c64656e2f746f706963`;
    const payload = '0000000e676f6c64656e207061796c6f6164';
    expect(toHex(wire)).toBe(`${head}${payload}000100${'5a'.repeat(3309)}`);
    expect(golden.id).toBe(GOLDEN_ID);
  });

  it('takes its id from domain, origin, incarnation, seq, topic and payload hash', () => {
    const preimage = Buffer.concat([
      Buffer.from('meshproof.gossip.message-id.v1\0'),
      fromHex(`${'0b'.repeat(32)}01020304050607080000000000000007000c`),
      Buffer.from('golden/topic'),
      fromHex(sha256Hex(body.payload)),
    ]);
    expect(golden.id).toBe(sha256Hex(preimage));
  });

  it('comes back as it went, for any body and any place in a batch', () => {
    fc.assert(
      fc.property(fc.array(bodies, { minLength: 1, maxLength: 64 }), fc.nat(), (batch, pick) => {
        const tree = new MerkleTree(batch.map((each) => fromHex(messageId(each))));
        const leafIndex = pick % batch.length;
        const one = batch[leafIndex] ?? body;
        const proof = { leafIndex, treeSize: tree.size, path: tree.auditPath(leafIndex), signature };
        const read = readMessage(writeMessage(new ByteWriter(), { ...one, proof }).finish(), MAX_PAYLOAD);
        expect(read).toMatchObject({
          id: messageId(one),
          origin: one.origin,
          seq: one.seq,
          topic: one.topic,
        });
        expect(toHex(read.payload)).toBe(toHex(one.payload));
        expect(toHex(batchRoot(read) ?? new Uint8Array(0))).toBe(toHex(tree.root));
      }),
      { numRuns: 50 },
    );
  });

  it('has another id when anything that the id covers is changed, and none when it is cut or padded', () => {
    const wire = writeMessage(new ByteWriter(), golden).finish();
    const covered = wire.length - 3309 - 3;
    for (let at = 1; at < covered; at += 1) {
      const changed = new Uint8Array(wire);
      changed[at] = (changed[at] ?? 0) ^ 1;
      try {
        expect(readMessage(changed, MAX_PAYLOAD).id).not.toBe(golden.id);
      } catch (error) {
        expect(error).toBeInstanceOf(BytesError);
      }
    }
    for (let length = 0; length < covered; length += 1) {
      expect(() => readMessage(wire.subarray(0, length), MAX_PAYLOAD)).toThrow(BytesError);
    }
    expect(() => readMessage(Buffer.concat([wire, Uint8Array.of(0)]), MAX_PAYLOAD)).toThrow(BytesError);
    expect(() => readMessage(wire, 13)).toThrow(/exceed/);
  });

  it('never makes anything but a message or a BytesError of arbitrary bytes', () => {
    const never = (parse: (bytes: Uint8Array) => unknown) =>
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
          try {
            parse(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(BytesError);
          }
        }),
        { numRuns: 500 },
      );
    never((bytes) => readMessage(bytes, MAX_PAYLOAD));
    never(readEagerHeader);
    never(decodeControl);
    for (let kind = 0x10; kind <= 0x1a; kind += 1)
      never((bytes) => decodeControl(Uint8Array.of(kind, ...bytes)));
  });
});

describe('an EAGER frame', () => {
  it('carries hops, age and id before the message, and changes only those from hop to hop', () => {
    const frame = eagerFrame({ hops: 1, ageMs: 258 }, golden);
    expect(toHex(frame.subarray(0, 38))).toBe(`400100000102${golden.id}`);
    const next = rewriteHeader(frame, { hops: 2, ageMs: 5_000_000_000 });
    expect(readEagerHeader(next)).toEqual({ hops: 2, ageMs: 0xffff_ffff, id: golden.id });
    expect(readMessage(messageBytes(next), MAX_PAYLOAD)).toEqual(
      readMessage(messageBytes(frame), MAX_PAYLOAD),
    );
  });

  it('is refused with no hops or more than any path has', () => {
    for (const hops of [0, 65, 255]) {
      expect(() => readEagerHeader(eagerFrame({ hops, ageMs: 0 }, golden))).toThrow(/hops/);
    }
  });

  it('is not taken for a control frame', () => {
    expect(isGossipControl(eagerFrame({ hops: 1, ageMs: 0 }, golden))).toBe(false);
  });
});

describe('a control frame', () => {
  const id = 'ab'.repeat(32);
  const t = '0000000174';
  const vectors: readonly (readonly [ControlFrame, string])[] = [
    [{ kind: 'ihave', topics: [{ topic: 't', entries: [{ id, hops: 3 }] }] }, `100001${t}0001${id}03`],
    [{ kind: 'iwant', ids: [id] }, `110001${id}`],
    [{ kind: 'graft', topic: 't' }, `12${t}`],
    [{ kind: 'prune', topic: 't' }, `13${t}`],
    [{ kind: 'graft', topic: 't', origin: id }, `1b${t}${id}`],
    [{ kind: 'prune', topic: 't', origin: id }, `1c${t}${id}`],
    [
      { kind: 'summary', topics: [{ topic: 't', count: 2, setHash: '0123456789abcdef' }] },
      `140001${t}000000020123456789abcdef`,
    ],
    [
      { kind: 'buckets', topic: 't', setHashes: Array(64).fill('00000000000000ff') },
      `15${t}${'00000000000000ff'.repeat(64)}`,
    ],
    [
      { kind: 'digest', topic: 't', mask: '8000000000000001', entries: [{ id, hops: 1 }] },
      `16${t}80000000000000010001${id}01`,
    ],
    [{ kind: 'keyWant', agentId: id }, `17${id}`],
    [{ kind: 'key', publicKey: new Uint8Array(1952).fill(1) }, `18${'01'.repeat(1952)}`],
    [{ kind: 'echo', number: 258 }, '1900000102'],
    [{ kind: 'echoed', number: 0xffff_ffff }, '1affffffff'],
  ];

  it.each(vectors)('of kind $kind has its known bytes', (frame, wire) => {
    expect(toHex(encodeControl(frame))).toBe(wire);
  });

  it('comes back as it went, and is refused when cut or padded', () => {
    fc.assert(
      fc.property(controlFrames, fc.nat(), (frame, cut) => {
        const wire = encodeControl(frame);
        expect(isGossipControl(wire)).toBe(true);
        expect(decodeControl(wire)).toEqual(frame);
        expect(() => decodeControl(wire.subarray(0, cut % wire.length))).toThrow(BytesError);
        expect(() => decodeControl(Buffer.concat([wire, Uint8Array.of(0)]))).toThrow(BytesError);
      }),
      { numRuns: 200 },
    );
  });

  it('is refused when it repeats a field more often than its bound, before reading it', () => {
    expect(() => decodeControl(fromHex('110401'))).toThrow(/1025 exceeds 1024/);
    expect(() => decodeControl(fromHex('100041'))).toThrow(/65 exceeds 64/);
    const many = Array.from({ length: 600 }, () => ({ id, hops: 1 }));
    const two = [
      { topic: 'a', entries: many },
      { topic: 'b', entries: many },
    ];
    expect(() => decodeControl(encodeControl({ kind: 'ihave', topics: two }))).toThrow(/more than 1024/);
  });
});

const GOLDEN_ID = '4555df21c2de3754ca90f03f5d872b9204675c820b7c280c1c0bd47635d8ed0d';
