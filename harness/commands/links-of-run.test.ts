import { describe, expect, it } from 'vitest';
import { linksOfRun, placedNodes } from './links-of-run.ts';

const nodes = ['a', 'b'].map((name) => ({ name, region: null }));
const asked = (...names: readonly string[]) => ({
  nodes,
  scenarios: names.map((name) => ({ name, options: {} })),
});

describe('the links of a run', () => {
  it('are those that were asked for, and put the nodes in their places', async () => {
    const links = await linksOfRun({ links: 'six-cities' }, asked('baseline'));
    expect(links?.figuresOf('a', 'b').latencyMs).toBe(35);
    expect(placedNodes(nodes, links)).toEqual([
      { name: 'a', region: 'nyc' },
      { name: 'b', region: 'sfo' },
    ]);
  });

  it('are there and do nothing where a scenario needs a place for its faults', async () => {
    const links = await linksOfRun({ links: undefined }, asked('baseline', 'partition_recovery'));
    expect(links).toMatchObject({ name: 'direct' });
    expect(placedNodes(nodes, links)).toEqual(nodes);
  });

  it('are not there where nobody needs them', async () => {
    expect(await linksOfRun({ links: undefined }, asked('baseline', 'restart_storm'))).toBeUndefined();
  });

  it('are refused by name when they are not known', async () => {
    await expect(linksOfRun({ links: 'moon' }, asked('baseline'))).rejects.toMatchObject({
      code: 'UNKNOWN_LINKS',
    });
  });
});
