import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type DirectRequest,
  type DirectResponse,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from './ack-protocol.ts';

const ID = '000102030405060708090a0b0c0d0e0f';
const SENDER = 'ab'.repeat(32);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const anyHex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(hexOf);

test('the bytes of a request and a probe are those of version 1', () => {
  const message = encodeRequest({
    kind: 'message',
    requestId: ID,
    sender: SENDER,
    payload: Buffer.from('hello'),
  });
  expect(hexOf(message)).toBe(`4d5044510101${ID}${SENDER}0000000568656c6c6f`);
  const probe = encodeRequest({ kind: 'probe', requestId: ID, sender: SENDER });
  expect(hexOf(probe)).toBe(`4d5044510102${ID}${SENDER}00000000`);
});

test('the bytes of every reply are those of version 1', () => {
  const golden: readonly (readonly [DirectResponse, string])[] = [
    [{ kind: 'accepted' }, '4d504452010000'],
    [{ kind: 'rejected', reason: 'invalid_envelope' }, '4d504452010102'],
    [{ kind: 'rejected', reason: 'not_supported' }, '4d504452010103'],
    [{ kind: 'rejected', reason: 'backpressured' }, '4d504452010104'],
    [{ kind: 'rejected', reason: 'conflict' }, '4d504452010105'],
    [{ kind: 'rejected', reason: 'sender_mismatch' }, '4d504452010106'],
    [{ kind: 'rejected', reason: 'unknown' }, '4d5044520101ff'],
    [{ kind: 'closed', reason: 'shutting_down' }, '4d504452010201'],
    [{ kind: 'closed', reason: 'unknown' }, '4d5044520102ff'],
  ];
  for (const [response, hex] of golden) {
    expect(hexOf(encodeResponse(response))).toBe(hex);
    expect(decodeResponse(Buffer.from(hex, 'hex'))).toEqual(response);
  }
});

test('every request comes back as it was, and no cut of it is taken for a whole one', () => {
  const anyRequest = fc.oneof(
    fc.record({
      kind: fc.constant('message' as const),
      requestId: anyHex(16),
      sender: anyHex(32),
      payload: fc.uint8Array({ maxLength: 200 }),
    }),
    fc.record({ kind: fc.constant('probe' as const), requestId: anyHex(16), sender: anyHex(32) }),
  );
  fc.assert(
    fc.property(anyRequest, fc.nat(), (request: DirectRequest, cut) => {
      const bytes = encodeRequest(request);
      expect(decodeRequest(bytes)).toEqual(request);
      expect(decodeRequest(bytes.subarray(0, cut % bytes.length)).kind).toBe('malformed');
      expect(decodeRequest(Buffer.concat([bytes, Buffer.of(0)])).kind).toBe('malformed');
    }),
  );
});

test('arbitrary bytes and unknown prefixes never throw and never pass for a message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(['unsupported', 'malformed']).toContain(decodeRequest(bytes).kind);
      expect(['incomplete', 'invalid']).toContain(decodeResponse(bytes).kind);
    }),
  );
  const valid = encodeRequest({ kind: 'message', requestId: ID, sender: SENDER, payload: Buffer.from('x') });
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(valid);
      changed[at] = (changed[at] ?? 0) ^ flip;
      const { kind } = decodeRequest(changed);
      if (at < 5)
        expect(kind).toBe('unsupported'); // magic and version
      else if (at >= 54 && at < 58)
        expect(kind).toBe('malformed'); // the length no longer fits
      else expect(['message', 'unsupported', 'malformed']).toContain(kind);
    }),
  );
});

test('a length beyond the bound is refused before anything is read or allocated for it', () => {
  const bytes = encodeRequest({ kind: 'message', requestId: ID, sender: SENDER, payload: new Uint8Array() });
  bytes.set([0xff, 0xff, 0xff, 0xff], 54);
  const decoded = decodeRequest(bytes);
  expect(decoded).toMatchObject({ kind: 'malformed', why: expect.stringContaining('exceed the bound') });
});

test('ids of the wrong size are refused when a request is made', () => {
  const made = (requestId: string, sender: string) => () =>
    encodeRequest({ kind: 'probe', requestId, sender });
  expect(made('00', SENDER)).toThrow('request_id');
  expect(made(ID, 'zz'.repeat(32))).toThrow('sender');
});

test('a reply that was cut is incomplete, one that is longer is invalid', () => {
  const bytes = encodeResponse({ kind: 'accepted' });
  expect(decodeResponse(new Uint8Array())).toEqual({ kind: 'incomplete' });
  expect(decodeResponse(bytes.subarray(0, 6))).toEqual({ kind: 'incomplete' });
  expect(decodeResponse(Buffer.concat([bytes, Buffer.of(0)])).kind).toBe('invalid');
});
