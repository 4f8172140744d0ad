import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BytesError } from '../../kit/bytes.ts';
import { decodePeers, encodePeers, isMembershipFrame, MAX_PEERS_PER_FRAME } from './exchange.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const ab = 'ab'.repeat(32);
const GOLDEN = `01010002${ab}000000093132372e302e302e3115b3${'00'.repeat(31)}01000000033a3a311f90`;

const peer = fc.record({
  peerId: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hex),
  address: fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 0, max: 65_535 }) }),
});

describe('the peers frame', () => {
  test('has these bytes', () => {
    const peers = [
      { peerId: ab, address: { host: '127.0.0.1', port: 5_555 } },
      { peerId: `${'00'.repeat(31)}01`, address: { host: '::1', port: 8_080 } },
    ];
    expect(hex(encodePeers(peers))).toBe(GOLDEN);
    expect(decodePeers(Buffer.from(GOLDEN, 'hex'))).toEqual(peers);
  });

  test('gives back what went in', () => {
    fc.assert(
      fc.property(fc.array(peer, { maxLength: MAX_PEERS_PER_FRAME }), (peers) => {
        const frame = encodePeers(peers);
        expect(isMembershipFrame(frame)).toBe(true);
        expect(decodePeers(frame)).toEqual(peers);
      }),
    );
  });

  test('is refused when cut anywhere or followed by more', () => {
    const frame = Buffer.from(GOLDEN, 'hex');
    for (let length = 0; length < frame.length; length += 1) {
      expect(() => decodePeers(frame.subarray(0, length))).toThrow(BytesError);
    }
    expect(() => decodePeers(Buffer.concat([frame, Buffer.alloc(1)]))).toThrow('1 bytes too many');
  });

  test('of any garbage is either read or refused by name, and never larger than its bound', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }).map((tail) => Buffer.concat([Buffer.from('01010002', 'hex'), tail])),
    );
    fc.assert(
      fc.property(garbage, (frame) => {
        try {
          expect(decodePeers(frame).length).toBeLessThanOrEqual(MAX_PEERS_PER_FRAME);
        } catch (error) {
          expect(error).toBeInstanceOf(BytesError);
        }
      }),
    );
  });

  test('of more than 64 peers, another version, another kind or a long host is refused', () => {
    expect(() => decodePeers(Buffer.from('01010041', 'hex'))).toThrow('count');
    expect(() => decodePeers(Buffer.from('01020000', 'hex'))).toThrow('version');
    expect(() => decodePeers(Buffer.from('02010000', 'hex'))).toThrow('kind');
    expect(() => decodePeers(Buffer.from(`01010001${ab}ffffffff`, 'hex'))).toThrow('bound of 64');
    expect(() => decodePeers(new Uint8Array(100_000))).toThrow('exceed');
    const tooMany = Array.from({ length: 65 }, () => ({ peerId: ab, address: { host: '::1', port: 1 } }));
    expect(() => encodePeers(tooMany)).toThrow(BytesError);
  });
});

test('frames of kind 0x01 to 0x0f are membership’s, others are not', () => {
  const own = Array.from({ length: 256 }, (_, kind) => kind).filter((kind) =>
    isMembershipFrame(Uint8Array.of(kind)),
  );
  expect(own).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
  expect(isMembershipFrame(new Uint8Array())).toBe(false);
});
