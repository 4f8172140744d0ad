import { expect, it } from 'vitest';
import { Patience } from './patience.ts';
import type { Problem } from './problem.ts';

const broken = (host: string): Problem => ({ host, code: 'UNIT_NOT_ACTIVE', message: '', lasting: true });
const starting = (host: string): Problem => ({ host, code: 'NODE_SILENT', message: '' });
const unlinked = (host: string, peer: string): Problem => ({ host, peer, code: 'LINK_MISSING', message: '' });

it('waits for what may mend, however long', () => {
  const patience = new Patience();
  for (const nowMs of [0, 10_000, 50_000]) expect(patience.mayMend([starting('a')], nowMs)).toBe(true);
});

it('gives up on what cannot mend once it has stood for 5 s, connections with it included', () => {
  const patience = new Patience();
  const problems = [broken('a'), unlinked('b', 'a'), unlinked('a', 'b')];
  expect(patience.mayMend(problems, 0)).toBe(true);
  expect(patience.mayMend(problems, 4_999)).toBe(true);
  expect(patience.mayMend(problems, 5_000)).toBe(false);
});

it('keeps waiting for the others beside a host that is beyond hope', () => {
  const patience = new Patience();
  patience.mayMend([broken('a')], 0);
  expect(patience.mayMend([broken('a'), starting('b')], 20_000)).toBe(true);
  expect(patience.mayMend([broken('a')], 20_001)).toBe(false);
});

it('begins anew when the problem was gone in between', () => {
  const patience = new Patience();
  patience.mayMend([broken('a')], 0);
  patience.mayMend([], 5_000);
  expect(patience.mayMend([broken('a')], 10_000)).toBe(true);
});
