import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from './address.ts';

describe('an address', () => {
  it('reads back as what was written', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        expect(parseAddress(formatAddress({ host, port }))).toEqual({ host, port });
      }),
    );
  });

  it.each([
    '',
    'host',
    ':1',
    'host:',
    'host:65536',
    'host:-1',
    '::1:80',
    '[::1]',
    '[host]:1',
    'a b:1',
    'host:1x',
  ])('is not %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});
