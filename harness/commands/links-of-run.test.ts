import { describe, expect, it } from 'vitest';
import { parseInventory } from '../fleet/inventory.ts';
import { figuresToWire, UNTOUCHED } from '../lab/link-agent/link-figures.ts';
import { linked, linksOfLabRun, linksOfRun } from './links-of-run.ts';

const nodes = ['a', 'b'].map((name) => ({ name, region: null }));
const asked = (...names: readonly string[]) => ({
  nodes,
  scenarios: names.map((name) => ({ name, options: {} })),
});

describe('the links of a run', () => {
  it('are those that were asked for, and put the nodes in their places', async () => {
    const links = await linksOfRun({ links: 'six-cities' }, asked('baseline'));
    expect(links?.figuresOf('a', 'b').latencyMs).toBe(35);
    expect(linked(nodes, links).nodes).toEqual([
      { name: 'a', region: 'nyc' },
      { name: 'b', region: 'sfo' },
    ]);
  });

  it('are there and do nothing where a scenario needs a place for its faults', async () => {
    const links = await linksOfRun({ links: undefined }, asked('baseline', 'partition_recovery'));
    expect(links).toMatchObject({ name: 'direct' });
    expect(linked(nodes, links).nodes).toEqual(nodes);
  });

  it('are sealed with the plan: each directed pair once, equal ones together', async () => {
    const three = [...nodes, { name: 'c', region: null }];
    const file = { ...asked('baseline'), nodes: three };
    const { links } = linked(three, await linksOfRun({ links: 'six-cities' }, file));
    expect(links).toMatchObject({ name: 'six-cities', groups: { length: 3 } });
    expect(links?.groups[0]).toEqual({
      figures: { ...figuresToWire(UNTOUCHED), latency_ms: 35, jitter_ms: 1, loss_ratio: 0.0001 },
      edges: [
        ['a', 'b'],
        ['b', 'a'],
      ],
    });
  });

  it('are not there where nobody needs them, nor in the plan', async () => {
    const links = await linksOfRun({ links: undefined }, asked('baseline', 'restart_storm'));
    expect(links).toBeUndefined();
    expect(linked(nodes, links)).toEqual({ nodes });
  });

  it('are refused by name when they are not known', async () => {
    await expect(linksOfRun({ links: 'moon' }, asked('baseline'))).rejects.toMatchObject({
      code: 'UNKNOWN_LINKS',
    });
  });

  it('over hosts are those of their lab, and none for hosts of no lab, whatever they are called', async () => {
    const { signal } = new AbortController();
    const text = 'format = "meshproof.inventory.v1"\nenvironment = "lab"\n';
    const hosts = '[[host]]\nname = "lab1"\naddress = "192.0.2.1"\nagent = true\n';
    expect(await linksOfLabRun(parseInventory(text + hosts, 'x.toml'), signal)).toBeUndefined();
    const inventory = parseInventory(`${text}[lab]\ndir = "/nonexistent/lab"\n${hosts}`, 'x.toml');
    await expect(linksOfLabRun(inventory, signal)).rejects.toMatchObject({
      code: expect.stringMatching(/^(NO_LAB|LAB_NEEDS_(ROOT|LINUX))$/),
    });
  });
});
