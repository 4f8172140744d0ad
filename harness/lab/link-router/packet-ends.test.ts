import { describe, expect, it } from 'vitest';
import { addressKey, packetEnds } from './packet-ends.ts';

const v4 = (from: readonly number[], to: readonly number[]) => {
  const packet = Buffer.alloc(28);
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet.set([...from, ...to], 12);
  return packet;
};
const v6 = (from: readonly number[], to: readonly number[]) => {
  const packet = Buffer.alloc(48);
  packet[0] = 0x60;
  packet.writeUInt16BE(packet.length - 40, 4);
  packet.set([...from, ...to], 8);
  return packet;
};

describe('the ends of a packet', () => {
  it('are its addresses, of either family, as they are known by their text', () => {
    expect(packetEnds(v4([192, 0, 2, 1], [198, 51, 100, 255]))).toEqual({
      from: addressKey('192.0.2.1'),
      to: addressKey('198.51.100.255'),
    });
    const [a, b] = [
      [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b],
      [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0xff, 0xfe],
    ];
    expect(packetEnds(v6(a ?? [], b ?? []))).toEqual({
      from: addressKey('2001:db8::b'),
      to: addressKey('2001:db8:1:2:3:4:5:fffe'),
    });
  });

  it('are none where the bytes are no whole packet', () => {
    const [four, six] = [v4([192, 0, 2, 1], [192, 0, 2, 2]), v6([], [])];
    const versionFive = Buffer.from(four);
    versionFive[0] = 0x55;
    const strangers = [
      Buffer.alloc(0),
      Buffer.from([0x45]),
      Buffer.from([0x60, 0]),
      four.subarray(0, 27), // cut short
      Buffer.concat([four, Buffer.alloc(1)]),
      six.subarray(0, 47),
      versionFive,
    ];
    expect(strangers.map(packetEnds)).toEqual(strangers.map(() => undefined));
  });
});
