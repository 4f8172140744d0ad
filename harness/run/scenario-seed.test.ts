import { expect, it } from 'vitest';
import { scenarioSeed } from './scenario-seed.ts';

it('the seed of a scenario is its own in every window, for every seed of a run', () => {
  const seeds = new Set<number>();
  for (const seed of [0, 1, 0x7fff_ffff]) {
    for (let window = 1; window <= 10; window += 1) {
      for (const scenario of ['baseline', 'fanout_burst']) seeds.add(scenarioSeed(seed, window, scenario));
    }
  }
  expect(seeds.size).toBe(60);
  for (const seed of seeds) expect(seed).toBeLessThanOrEqual(0xffff_ffff);
  expect(scenarioSeed(7, 3, 'baseline')).toBe(scenarioSeed(7, 3, 'baseline'));
});
