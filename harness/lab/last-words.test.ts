import { describe, expect, it } from 'vitest';
import { LastWords } from './last-words.ts';

describe('the last words of a process', () => {
  it('are whole lines, whatever the pieces they came in', () => {
    const words = new LastWords();
    for (const piece of ['a', 'b\nc', 'd\n\n', 'e']) words.push(piece);
    expect(words.take()).toEqual(['ab', 'cd', 'e']);
  });

  it('are the newest twenty, each of bounded length', () => {
    const words = new LastWords();
    for (let line = 0; line < 100; line += 1) words.push(`${line}\n`);
    words.push('x'.repeat(1_000_000));
    words.push('y'.repeat(1_000_000));
    const taken = words.take();
    expect(taken).toHaveLength(20);
    expect(taken[0]).toBe('81');
    expect(taken.at(-1)?.length).toBeLessThanOrEqual(2_000);
  });
});
