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

  it('lets the margin go, then the count, before a name is cut to less than 24 characters', () => {
    const findings = trouble.verdict.findings.map((one) => ({
      ...one,
      objective: `${one.objective} whoever it was that sent it`,
    }));
    const linesAt = (width: number) => {
      const text = renderTerminal(trouble.proof, { ...trouble.verdict, findings }, { width, colour: 'off' });
      return text.split('\n').filter((line) => /verdict +objective|drops whoever/.test(line));
    };
    expect(linesAt(120)[0]).toMatch(/value +limit +margin +GO$/);
    expect(linesAt(85)[0]).toMatch(/value +limit +GO$/);
    expect(linesAt(78)[0]).toMatch(/value +limit$/);
    for (const width of [85, 78]) expect(linesAt(width)[1]).toContain('no receive drops whoeve');
  });

  it('colours only when asked, and lets no node write to the screen', () => {
    expect(renderTerminal(trouble.proof, trouble.verdict, { width: 80, colour: 'off' })).not.toContain(ESC);
    const coloured = renderTerminal(trouble.proof, trouble.verdict, { width: 80, colour: 'on' });
    expect(coloured).toContain(`${ESC}[31mNO-GO`);
    expect(coloured).not.toContain(`${ESC}[31mred`);
  });
});
