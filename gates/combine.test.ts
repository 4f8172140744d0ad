import { describe, expect, test } from 'vitest';
import type { Finding } from '../proofs/evidence.ts';
import { missing, seen } from '../proofs/observation.ts';
import { combine } from './combine.ts';

function finding(over: Partial<Finding>): Finding {
  return {
    objective: 'no drops',
    scope: 'node',
    subject: 'ams',
    window: 1,
    scenario: 'baseline',
    verdict: 'NO-GO',
    value: seen(1),
    limit: { max: 0 },
    margin: -1,
    reason: `${over.subject ?? 'ams'}: ${-(over.margin ?? -1)}, limit at most 0`,
    ...over,
  };
}

const reasonsOf = (...findings: readonly Finding[]) => combine(findings, [1, 2], new Set()).reasons;

describe('the reasons of a verdict', () => {
  test('tell the worst of one place in full, and the names of the others', () => {
    const nodes = ['ams', 'nyc', 'sfo'].map((subject, at) =>
      finding({ subject, margin: at === 1 ? -9 : -1 }),
    );
    expect(reasonsOf(...nodes)).toEqual([
      'NO-GO no drops: nyc: 9, limit at most 0 (window 1 baseline); also ams, sfo',
    ]);
  });

  test('count the names that are too many, and the places', () => {
    const many = Array.from({ length: 10 }, (_, at) => finding({ subject: `n${at}` }));
    expect(reasonsOf(...many)[0]).toMatch(/; also n1, n2, n3, n4, n5, n6, 3 more$/);
    const places = Array.from({ length: 6 }, (_, at) => finding({ window: at + 1 }));
    expect(reasonsOf(...places)).toHaveLength(5);
    expect(reasonsOf(...places).at(-1)).toBe('NO-GO no drops: and 2 more');
  });

  test('of objectives that say the same are one, NO-GO before INCONCLUSIVE', () => {
    const why = 'ams: gossip was not read';
    const unread = (objective: string) =>
      finding({
        objective,
        verdict: 'INCONCLUSIVE',
        value: missing('absent', why),
        margin: null,
        reason: why,
      });
    expect(reasonsOf(unread('a'), unread('b'), unread('c'), finding({}))).toEqual([
      'NO-GO no drops: ams: 1, limit at most 0 (window 1 baseline)',
      'INCONCLUSIVE a, b and 1 more objectives: ams: gossip was not read (window 1 baseline)',
    ]);
  });

  test('leave out what another tells, which counts all the same', () => {
    const told = finding({});
    expect(combine([told], [1], new Set([told]))).toEqual({
      overall: 'NO-GO',
      windows: [{ window: 1, verdict: 'NO-GO', reasons: [] }],
      reasons: [],
    });
  });
});
