import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDm, encodeCommandDm, encodeHopDm, encodeResultDm, hasTestPrefix } from './dm-frames.ts';

const hex64 = fc.stringMatching(/^[0-9a-f]{64}$/);
const requestId = fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/);
const digestMarker = fc.string({ maxLength: 60 }).map((text) => text.replaceAll('|', ''));
const bytes = fc.uint8Array({ maxLength: 200 });

describe('direct message frames', () => {
  it('are, byte for byte, the forms that operators know', () => {
    expect(Buffer.from(encodeCommandDm('{"a":1}')).toString()).toBe('x0xtest|cmd|eyJhIjoxfQ==');
    expect(Buffer.from(encodeResultDm('{}')).toString()).toBe('x0xtest|res|e30=');
    const hop = {
      requestId: 'r-1',
      digestMarker: 'nyc-sfo',
      anchorAid: 'a'.repeat(64),
      payload: Buffer.from('m|x'),
    };
    expect(Buffer.from(encodeHopDm(hop)).toString()).toBe(`x0xtest|hop|r-1|nyc-sfo|${'a'.repeat(64)}|m|x`);
  });

  it('give back a hop, bars and zeros of the payload included', () => {
    fc.assert(
      fc.property(
        requestId,
        digestMarker,
        fc.option(hex64, { nil: '' }),
        bytes,
        (id, marker, anchorAid, payload) => {
          const frame = decodeDm(encodeHopDm({ requestId: id, digestMarker: marker, anchorAid, payload }));
          expect(frame).toMatchObject({ form: 'hop', requestId: id, digestMarker: marker, anchorAid });
          expect(frame?.form === 'hop' && Buffer.compare(frame.payload, payload)).toBe(0);
        },
      ),
    );
  });

  it('give back commands and results of any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeDm(encodeCommandDm(text))).toEqual({ form: 'command', text });
        expect(decodeDm(encodeResultDm(text))).toEqual({ form: 'result', text });
      }),
    );
  });

  it('are never found in, and never broken by, other bytes', () => {
    fc.assert(
      fc.property(bytes, (noise) => {
        expect(decodeDm(noise)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom('cmd|', 'res|', 'hop|', '', 'hop'), bytes, (form, noise) => {
        decodeDm(Buffer.concat([Buffer.from(`x0xtest|${form}`), noise]));
      }),
    );
    expect(hasTestPrefix(Buffer.from('x0xtest'))).toBe(false);
  });

  it('refuse fields that would shift the others', () => {
    const hop = { requestId: 'r|1', digestMarker: '', anchorAid: '', payload: new Uint8Array() };
    expect(() => encodeHopDm(hop)).toThrow(RangeError);
    expect(() => encodeHopDm({ ...hop, requestId: 'r', digestMarker: 'a|b' })).toThrow(RangeError);
    expect(() => encodeHopDm({ ...hop, requestId: 'r', anchorAid: 'abc' })).toThrow(RangeError);
  });

  it('are not looked for beyond the longest possible header', () => {
    const endless = Buffer.concat([
      Buffer.from('x0xtest|hop|'),
      Buffer.alloc(1_000_000, 0x61),
      Buffer.from('|||'),
    ]);
    expect(decodeDm(endless)).toBeUndefined();
  });
});
