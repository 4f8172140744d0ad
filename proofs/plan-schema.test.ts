import { describe, expect, test } from 'vitest';
import { fixtureLinks, fixtureProof } from './fixture.ts';
import { planSchema } from './plan-schema.ts';

const { plan } = fixtureProof({ nodes: ['ams', 'nyc', 'sfo'] });

describe('a plan', () => {
  test('holds every directed pair of its roster', () => {
    expect(planSchema.parse(plan)).toEqual(plan);
    expect(planSchema.parse({ ...plan, pairs: plan.pairs.toReversed() }).pairs).toHaveLength(6);
  });

  test.each([
    ['no pairs', { pairs: [] }, 'lacks ams→nyc'],
    ['one pair less', { pairs: plan.pairs.slice(1) }, 'lacks ams→nyc'],
    ['a pair twice', { pairs: [...plan.pairs, ...plan.pairs.slice(0, 1)] }, 'holds 7 pairs, expected the 6'],
    ['one of them replaced', { pairs: [...plan.pairs.slice(1), ['sfo', 'sfo']] }, 'lacks ams→nyc'],
    ['a node twice', { roster: [...plan.roster, ...plan.roster.slice(0, 1)] }, 'names ams twice'],
  ])('with %s is refused', (_, change, why) => {
    const parsed = planSchema.safeParse({ ...plan, ...change });
    expect(parsed.error?.issues.map(({ message }) => message).join()).toContain(why);
  });

  test('may say what links its nodes had, and then of every directed pair', () => {
    const links = fixtureLinks(plan.pairs);
    expect(planSchema.parse({ ...plan, links })).toEqual({ ...plan, links });
    const parsed = planSchema.safeParse({ ...plan, links: fixtureLinks(plan.pairs.slice(1)) });
    expect(parsed.error?.issues).toMatchObject([{ path: ['links'], message: 'lacks ams→nyc' }]);
  });
});
