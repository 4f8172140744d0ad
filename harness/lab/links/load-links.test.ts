import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLinkFile } from './link-file.ts';
import { planLinks } from './link-plan.ts';
import { loadLinks } from './load-links.ts';

const SHIPPED = [
  'cable',
  'direct',
  'geo-satellite',
  'intercontinental',
  'lan',
  'lossy-wifi',
  'lte',
  'six-cities',
];
const HEAD = 'format = "meshproof.links.v1"\ndescription = "d"\nsource = "s"\n';
const plan = (body: string, nodes: readonly string[]) =>
  planLinks(parseLinkFile(HEAD + body, 'x.toml'), { name: 'x', source: 'x.toml', nodes });

/** Degrees north and east, to a tenth. */
const CITIES: Readonly<Record<string, readonly [number, number]>> = {
  nyc: [40.7, -74.0],
  sfo: [37.8, -122.4],
  helsinki: [60.2, 24.9],
  nuremberg: [49.5, 11.1],
  singapore: [1.4, 103.8],
  sydney: [-33.9, 151.2],
};
const EARTH_RADIUS_KM = 6_371;
const GLASS_KM_PER_MS = 200; // light in fibre: two thirds of its speed in vacuum

function greatCircleKm(
  [lat1, lon1]: readonly [number, number],
  [lat2, lon2]: readonly [number, number],
): number {
  const rad = Math.PI / 180;
  const cos =
    Math.sin(lat1 * rad) * Math.sin(lat2 * rad) +
    Math.cos(lat1 * rad) * Math.cos(lat2 * rad) * Math.cos((lon1 - lon2) * rad);
  return EARTH_RADIUS_KM * Math.acos(cos);
}

describe('the links that ship with meshproof', () => {
  it.for(SHIPPED)('%s can be used with any nodes, and say where their figures come from', async (name) => {
    const links = await loadLinks(name, ['x', 'y', 'z']);
    expect(links.figuresOf('x', 'z').latencyMs).toBeGreaterThanOrEqual(0);
  });

  it('put six nodes into six cities, in order, and further ones beside the first', async () => {
    const nodes = Array.from({ length: 7 }, (_, index) => `node${index + 1}`);
    const { regions, figuresOf } = await loadLinks('six-cities', nodes);
    expect([...regions.values()]).toEqual([...Object.keys(CITIES), 'nyc']);
    expect(figuresOf('node3', 'node6')).toMatchObject({ latencyMs: 140, jitterMs: 1, rateKbit: null });
    expect(figuresOf('node1', 'node7').latencyMs).toBe(0.25);
  });

  it('put nodes named like cities where they are', async () => {
    const { regions, figuresOf } = await loadLinks('six-cities', ['sydney', 'nyc']);
    expect(regions.get('sydney')).toBe('sydney');
    expect(figuresOf('nyc', 'sydney').latencyMs).toBe(102.5);
  });

  it('are no faster than light in glass, and no slower than three times that and 20 ms', async () => {
    const names = Object.keys(CITIES);
    const { figuresOf } = await loadLinks('six-cities', names);
    for (const [a, from] of Object.entries(CITIES)) {
      for (const [b, to] of Object.entries(CITIES)) {
        if (a === b) continue;
        const leastMs = greatCircleKm(from, to) / GLASS_KM_PER_MS;
        const { latencyMs } = figuresOf(a, b);
        expect([a, b, latencyMs > leastMs, latencyMs < 3 * leastMs + 10]).toEqual([a, b, true, true]);
        expect(figuresOf(b, a)).toEqual(figuresOf(a, b));
      }
    }
  });
});

describe('a file of links', () => {
  it('speaks of both directions or of one, over what holds for the rest', () => {
    const { figuresOf } = plan(
      '[default]\nrtt_ms = 10\n[[link]]\nbetween = ["a", "b"]\nrtt_ms = 40\nloss_ratio = 0.1\n' +
        '[[link]]\nfrom = "a"\nto = "c"\nlatency_ms = 7\nrate_kbit = 100\n',
      ['a', 'b', 'c'],
    );
    expect(figuresOf('b', 'a')).toMatchObject({ latencyMs: 20, lossRatio: 0.1 });
    expect(figuresOf('a', 'c')).toMatchObject({ latencyMs: 7, rateKbit: 100 });
    expect(figuresOf('c', 'a')).toMatchObject({ latencyMs: 5, rateKbit: null });
  });

  it.for([
    ['[default\n', /^x\.toml:4:/],
    ['[default]\nrtt_ms = -1\n', /^x\.toml: default\.rtt_ms is -1: /],
    ['[default]\nrtt_ms = 1\nlatency_ms = 1\n', /default.*not both/],
    ['[default]\nlatencyms = 1\n', /default\.latencyms: is not a known key/],
    ['[[link]]\nbetween = ["a", "b"]\nfrom = "a"\n', /link\.0.*expected "between"/],
    ['[[link]]\nfrom = "a"\n', /link\.0.*expected "between"/],
    ['[[link]]\nbetween = ["a", "q"]\n', /^x\.toml: link\.0: "q" is not one of a, b$/],
    ['[[link]]\nbetween = ["a", "a"]\n', /^x\.toml: link\.0: joins a with itself$/],
    [
      '[[link]]\nbetween = ["a", "b"]\n[[link]]\nfrom = "b"\nto = "a"\n',
      /^x\.toml: link\.1: b to a is given twice$/,
    ],
    ['[[link]]\nfrom = "a"\nto = "b"\n', /^x\.toml: no \[\[link\]\] from b to a, and no \[default\]$/],
    ['[default]\nloss_ratio = 2\n', /default\.loss_ratio is 2: /],
  ] as const)('with %j is refused, naming the place', ([body, message]) => {
    expect(() => plan(body, ['a', 'b'])).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message) }),
    );
  });

  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'meshproof-links-'));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  it('is found by its path; an unknown name lists what there is', async () => {
    const path = join(home, 'mine.toml');
    await writeFile(path, `${HEAD}[default]\nrtt_ms = 4\n`);
    expect((await loadLinks(path, ['a', 'b'])).figuresOf('a', 'b').latencyMs).toBe(2);
    await expect(loadLinks('moon', ['a', 'b'])).rejects.toThrow(
      /--links: "moon" is no set of links; known: cable, /,
    );
    await expect(loadLinks(join(home, 'none.toml'), ['a'])).rejects.toMatchObject({
      code: 'LINKS_UNREADABLE',
    });
  });
});
