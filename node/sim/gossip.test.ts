import { describe, expect, it } from 'vitest';
import { Random } from '../../kit/random.ts';
import { DEFAULT_PLUMTREE_LIMITS } from '../pubsub/plumtree-limits.ts';
import { asymmetricLinks, measureSpread } from './gossip-measures.ts';
import { fullMesh, randomGraph } from './graphs.ts';
import { VirtualMesh } from './virtual-mesh.ts';

const TOPIC = 'sim/topic';
const SEEDS = [11, 22];

type Options = Partial<ConstructorParameters<typeof VirtualMesh>[2]>;

const ONE_TREE: Options = { limits: { ...DEFAULT_PLUMTREE_LIMITS, maxTrees: 0 } };

function meshOf(size: number, seed: number, options: Options = {}) {
  const random = new Random(seed);
  const graph = size <= 10 ? fullMesh(size) : randomGraph(size, 6, random);
  return { mesh: new VirtualMesh(size, graph, { random, latencyMs: [5, 40], ...options }), random };
}

/** `publishers` publish at the same moments, five times a second for ten seconds, of which the last five are measured. */
function spreadOfMany(mesh: VirtualMesh, publishers = mesh.peers.length) {
  const size = mesh.peers.length;
  const journeys = [];
  for (let round = 0; round < 50; round += 1) {
    const published = Array.from({ length: publishers }, (_, at) => mesh.publish(at, TOPIC));
    if (round >= 25) journeys.push(...published);
    mesh.run(200);
  }
  mesh.run(40_000);
  expect(measureSpread(mesh.journeys.values(), size).deliveryRatio).toBe(1);
  return measureSpread(journeys, size);
}

/** Publishes `count` messages, one each `everyMs`, by `sender` or by everyone in turn. */
function publishMany(
  mesh: VirtualMesh,
  { count, everyMs, sender }: { count: number; everyMs: number; sender?: number },
) {
  const journeys = [];
  for (let at = 0; at < count; at += 1) {
    journeys.push(mesh.publish(sender ?? at % mesh.peers.length, TOPIC));
    mesh.run(everyMs);
  }
  return journeys;
}

describe.each(SEEDS)('with seed %i', (seed) => {
  it.each([2, 3, 6, 100])(
    'a mesh of %i delivers everything and a warm tree sends few copies twice',
    (size) => {
      const { mesh } = meshOf(size, seed);
      const cold = publishMany(mesh, { count: 50, everyMs: 50, sender: 0 });
      const warm = publishMany(mesh, { count: 100, everyMs: 50, sender: 0 });
      mesh.run(5_000);
      expect(measureSpread(cold, size).deliveryRatio).toBe(1);
      const spread = measureSpread(warm, size);
      expect(spread.deliveryRatio).toBe(1);
      expect(spread.rmr).toBeLessThan(0.2);
    },
  );

  it.each([6, 100])(
    'a mesh of %i in which everyone publishes at once delivers everything and settles',
    (size) => {
      const { mesh } = meshOf(size, seed);
      publishMany(mesh, { count: 4 * size, everyMs: 5 });
      mesh.run(2_000);
      const later = publishMany(mesh, { count: Math.max(60, 2 * size), everyMs: 20 });
      mesh.run(2_000);
      expect(measureSpread(mesh.journeys.values(), size).deliveryRatio).toBe(1);
      const settled = measureSpread(later, size);
      expect(settled.rmr).toBeLessThan(0.6);
      expect(settled.p99Ms).toBeLessThan(1_000);
    },
  );

  it('each of six publishers reaches everyone over its own links, with no copy sent twice', () => {
    const spread = spreadOfMany(meshOf(6, seed).mesh);
    expect(spread.maxMs).toBeLessThanOrEqual(40);
    expect(spread.rmr).toBe(0);
    expect(spreadOfMany(meshOf(6, seed, ONE_TREE).mesh).p99Ms).toBeGreaterThan(2 * spread.p99Ms);
  });

  it('each of ten publishers in a mesh of 100 has a tree of short paths', () => {
    const spread = spreadOfMany(meshOf(100, seed).mesh, 10);
    expect(spread.rmr).toBeLessThan(0.01);
    expect(spread.p99Ms).toBeLessThan(200);
  });

  it.each([1, 3, 5])('%i of six that know one tree per topic only form one mesh with the others', (old) => {
    const { mesh, random } = meshOf(6, seed, { isOld: (peer) => peer < old });
    expect(spreadOfMany(mesh).rmr).toBeLessThan(0.2);
    mesh.isLost = (frame) => frame.kind === 'eager' && random.float() < 0.2;
    expect(spreadOfMany(mesh).p99Ms).toBeLessThan(1_000);
  });

  it('more publishers than trees may be kept share one, and everything is delivered', () => {
    const limits = { ...DEFAULT_PLUMTREE_LIMITS, maxTrees: 3 };
    const { mesh } = meshOf(6, seed, { limits });
    expect(spreadOfMany(mesh).p99Ms).toBeLessThan(1_000);
    for (const { core } of mesh.peers) expect(core.topics.get(TOPIC)?.originTreeCount).toBe(3);
  });

  it('those who publish once do not each begin a tree with a copy along every link', () => {
    const { mesh } = meshOf(100, seed);
    publishMany(mesh, { count: 100, everyMs: 100 });
    mesh.run(5_000);
    const spread = measureSpread(mesh.journeys.values(), 100);
    expect(spread.deliveryRatio).toBe(1);
    expect(spread.rmr).toBeLessThan(0.6);
  });

  it.each([6, 100])(
    'a mesh of %i that loses 20 % of payloads repairs all of them, p99 under a second',
    (size) => {
      const { mesh, random } = meshOf(size, seed);
      publishMany(mesh, { count: 30, everyMs: 50, sender: 0 });
      mesh.isLost = (frame) => frame.kind === 'eager' && random.float() < 0.2;
      const journeys = publishMany(mesh, { count: 200, everyMs: 50, sender: 0 });
      mesh.run(35_000);
      const spread = measureSpread(journeys, size);
      expect(spread.deliveryRatio).toBe(1);
      expect(spread.p99Ms).toBeLessThan(1_000);
    },
  );

  it('a partition of 3 and 3 that heals has everything everywhere within seconds', () => {
    const { mesh } = meshOf(6, seed);
    const cut = fullMesh(6).filter(([a, b]) => a < 3 !== b < 3);
    publishMany(mesh, { count: 12, everyMs: 50 });
    for (const [a, b] of cut) mesh.disconnect(a, b);
    const parted = publishMany(mesh, { count: 600, everyMs: 50 });
    expect(measureSpread(parted, 6).deliveryRatio).toBeLessThan(0.5);
    for (const [a, b] of cut) mesh.connect(a, b);
    mesh.run(5_000);
    expect(measureSpread(parted, 6).deliveryRatio).toBe(1);
  });

  it('the loss of the hub is healed and later messages reach everyone', () => {
    const { mesh } = meshOf(6, seed);
    publishMany(mesh, { count: 20, everyMs: 50, sender: 0 });
    for (let other = 1; other < 6; other += 1) mesh.disconnect(0, other);
    const journeys = Array.from({ length: 20 }, (_, at) => {
      const journey = mesh.publish(1 + (at % 5), TOPIC);
      mesh.run(50);
      return journey;
    });
    mesh.run(2_000);
    for (const { arrivals } of journeys) expect(arrivals.size).toBe(5);
  });

  it.each([
    ['of each origin', 6, {}],
    ['of each origin', 100, {}],
    ['of all', 6, ONE_TREE],
    ['of all', 100, ONE_TREE],
  ])(
    'after quiescence no link in the tree %s in a mesh of %i is eager on one side and lazy on the other',
    (_name, size, options) => {
      const { mesh } = meshOf(size, seed, options);
      publishMany(mesh, { count: 4 * size, everyMs: 7 });
      mesh.run(5_000);
      publishMany(mesh, { count: size, everyMs: 50 }); // traffic is what tells a side of a lost opinion
      mesh.run(5_000);
      expect(asymmetricLinks(mesh, TOPIC)).toEqual([]);
    },
  );

  it('a quiet mesh of 6 sends hardly anything, and nothing at all once its caches are empty', () => {
    const { mesh } = meshOf(6, seed);
    publishMany(mesh, { count: 60, everyMs: 20 });
    mesh.run(3_000);
    const before = [...mesh.framesSent];
    mesh.run(60_000);
    for (const [at, sent] of mesh.framesSent.entries()) expect(sent - (before[at] ?? 0)).toBeLessThan(10);
    mesh.run(10_000);
    const silent = [...mesh.framesSent];
    mesh.run(300_000);
    expect(mesh.framesSent).toEqual(silent);
  });

  it('no timer outlives what it was for', () => {
    const { mesh } = meshOf(6, seed);
    publishMany(mesh, { count: 60, everyMs: 20 });
    mesh.run(1_000_000);
    for (const { core } of mesh.peers) expect(core.nextDeadlineMs()).toBeUndefined();
    expect(mesh.clock.size).toBe(0);
  });
});
