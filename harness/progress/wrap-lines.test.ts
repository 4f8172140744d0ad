import { describe, expect, it } from 'vitest';
import { wrapLines } from './wrap-lines.ts';

describe('wrapping lines for a terminal', () => {
  it('leaves alone what fits, line by line', () => {
    expect(wrapLines('short\n  - also short', 20)).toBe('short\n  - also short');
  });

  it('continues below the first word of a point', () => {
    expect(wrapLines('  - one two three four', 12)).toBe('  - one two\n      three\n      four');
  });

  it('does not cut a word that is wider than the terminal', () => {
    expect(wrapLines(`a ${'x'.repeat(30)} b`, 10)).toBe(`a\n  ${'x'.repeat(30)}\n  b`);
  });
});
