import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader, BytesError, ByteWriter } from './bytes.ts';

test('fields have these bytes: big-endian, lengths as u32', () => {
  const bytes = new ByteWriter(1)
    .u8(1)
    .u16(0x0203)
    .u32(0x04050607)
    .u53(2 ** 40)
    .sized(Uint8Array.of(9))
    .text('é')
    .finish();
  expect(Buffer.from(bytes).toString('hex')).toBe(
    '01020304050607000001000000000000000001' + '09' + '00000002c3a9',
  );
});

test('what is written is read back, from any offset of a larger buffer', () => {
  const fields = fc.record({
    a: fc.nat(0xff),
    b: fc.nat(0xffff),
    c: fc.nat(0xffff_ffff),
    d: fc.maxSafeNat(),
    e: fc.uint8Array({ maxLength: 600 }),
    f: fc.string({ unit: 'binary', maxLength: 50 }),
    offset: fc.nat(9),
  });
  fc.assert(
    fc.property(fields, ({ a, b, c, d, e, f, offset }) => {
      const bytes = new ByteWriter().u8(a).u16(b).u32(c).u53(d).sized(e).text(f).finish();
      const larger = new Uint8Array(bytes.length + 20);
      larger.set(bytes, offset);
      const reader = new ByteReader(larger.subarray(offset, offset + bytes.length));
      expect([reader.u8('a'), reader.u16('b'), reader.u32('c'), reader.u53('d')]).toEqual([a, b, c, d]);
      expect(Buffer.from(reader.sized('e', 600))).toEqual(Buffer.from(e));
      expect(reader.text('f', 400)).toBe(f);
      reader.end('all');
    }),
  );
});

test('a field that is not all there is refused by name, before anything is taken', () => {
  const reader = new ByteReader(Uint8Array.of(0, 0, 0));
  expect(() => reader.u32('size')).toThrow('size: needs 4 bytes, 3 left');
  expect(reader.remaining).toBe(3);
  expect(() => reader.bytes('body', 4)).toThrow(BytesError);
});

test('lengths beyond their bound, numbers beyond 2^53, bad UTF-8 and trailing bytes are refused', () => {
  const of = (hex: string) => new ByteReader(Buffer.from(hex, 'hex'));
  expect(() => of('ffffffff00').sized('body', 10)).toThrow('4294967295 bytes exceed the bound of 10');
  expect(() => of('0020000000000000').u53('n')).toThrow('exceeds 2^53 - 1');
  expect(of('001fffffffffffff').u53('n')).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => of('00000002c328').text('name', 10)).toThrow('name: is not UTF-8');
  expect(() => of('00').end('frame')).toThrow('frame: 1 bytes too many');
});
