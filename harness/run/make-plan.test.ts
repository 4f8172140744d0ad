import { describe, expect, it } from 'vitest';
import { UsageError } from '../../kit/errors.ts';
import { fixtureLinks } from '../../proofs/fixture.ts';
import { FIXTURE_FACTS, FIXTURE_OPTIONS } from './fixture-plan.ts';
import { makePlan } from './make-plan.ts';
import type { RunOptions } from './run-options.ts';

const OPTIONS: RunOptions = {
  ...FIXTURE_OPTIONS,
  nodes: ['nyc', 'sfo', 'sydney'].map((name) => ({ name, region: null })),
  anchor: 'nyc',
  scenarios: [{ name: 'baseline', options: {} }],
  soak: { durationMs: 3_600_000, intervalMs: 600_000 },
};

describe('the plan of a run', () => {
  it('holds every directed pair of the roster and every window of the soak', () => {
    const plan = makePlan(OPTIONS, FIXTURE_FACTS);
    expect(plan.pairs).toEqual([
      ['nyc', 'sfo'],
      ['nyc', 'sydney'],
      ['sfo', 'nyc'],
      ['sfo', 'sydney'],
      ['sydney', 'nyc'],
      ['sydney', 'sfo'],
    ]);
    expect(plan.windows).toEqual({ count: 6, interval_ms: 600_000 });
  });

  it('fills in the defaults of every scenario, so that they are sealed too', () => {
    expect(makePlan(OPTIONS, FIXTURE_FACTS).scenarios).toEqual([
      { name: 'baseline', destructive: null, options: { settle_secs: 60 } },
    ]);
  });

  it('seals the links that the mesh is put behind, of all its pairs', () => {
    const { pairs } = makePlan(OPTIONS, FIXTURE_FACTS);
    const links = fixtureLinks(pairs);
    expect(makePlan({ ...OPTIONS, links }, FIXTURE_FACTS).links).toEqual(links);
    const lacking = { ...OPTIONS, links: fixtureLinks(pairs.slice(1)) };
    expect(() => makePlan(lacking, FIXTURE_FACTS)).toThrow(/lacks nyc→sfo/);
  });

  it.for([
    ['an unknown anchor', { ...OPTIONS, anchor: 'oslo' }, /--anchor: "oslo".*nyc, sfo, sydney/],
    ['a node named twice', { ...OPTIONS, nodes: [...OPTIONS.nodes, { name: 'sfo', region: null }] }, /"sfo"/],
    ['an unknown scenario', { ...OPTIONS, scenarios: [{ name: 'x', options: {} }] }, /"x" is not a scenario/],
    [
      'a bad option',
      { ...OPTIONS, scenarios: [{ name: 'baseline', options: { settle_secs: -1 } }] },
      /settle_secs is -1/,
    ],
  ] as const)('refuses %s, naming it', ([, options, message]) => {
    expect(() => makePlan(options, FIXTURE_FACTS)).toThrow(UsageError);
    expect(() => makePlan(options, FIXTURE_FACTS)).toThrow(message);
  });
});
