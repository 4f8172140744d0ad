import { describe, expect, it } from 'vitest';
import { readDiversion } from './diversion.ts';

const TABLE = 'table bridge meshproof-links\n';
const RULES = '32765:\tfrom all iif br0 lookup 213\n32766:\tfrom all lookup main\n';
const ROUTES = 'default dev links scope link \nblackhole default metric 4000 \n';
const CUT = 'blackhole default dev lo metric 4000 pref medium\n';

describe('the diversion of what hosts send each other', () => {
  it('is whole with the table of nft, and with rule and route in both families', () => {
    expect(readDiversion(TABLE + RULES + ROUTES + RULES + ROUTES)).toBe('whole');
  });

  it('is none without the table, whatever else has stayed', () => {
    expect(readDiversion(`table bridge of-others\n${RULES}${CUT}${RULES}${CUT}`)).toBe('none');
  });

  it('is broken where a rule or a route is missing in one family', () => {
    expect(readDiversion(TABLE + RULES + ROUTES + RULES + CUT)).toBe('broken');
    expect(readDiversion(TABLE + RULES + ROUTES + ROUTES)).toBe('broken');
    expect(readDiversion(TABLE + RULES + CUT + RULES + CUT)).toBe('broken');
  });
});
