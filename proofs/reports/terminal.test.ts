import { describe, expect, it } from 'vitest';
import { ESC, NYC_GOSSIP, troubled } from './fixture-troubled.ts';
import { renderTerminal } from './terminal.ts';

const trouble = troubled();

describe('the terminal report', () => {
  it.each([40, 60, 80, 120])('keeps every table within %d columns', (width) => {
    const text = renderTerminal(trouble.proof, trouble.verdict, { width, colour: 'off' });
    const tables = text
      .split('\n')
      .filter((line) => !line.includes(NYC_GOSSIP) && !line.startsWith('proof:'));
    expect(Math.max(...tables.map((line) => line.length))).toBeLessThanOrEqual(width);
  });

  it('colours only when asked, and lets no node write to the screen', () => {
    expect(renderTerminal(trouble.proof, trouble.verdict, { width: 80, colour: 'off' })).not.toContain(ESC);
    const coloured = renderTerminal(trouble.proof, trouble.verdict, { width: 80, colour: 'on' });
    expect(coloured).toContain(`${ESC}[31mNO-GO`);
    expect(coloured).not.toContain(`${ESC}[31mred`);
  });
});
