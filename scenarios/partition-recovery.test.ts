import { describe, expect, it } from 'vitest';
import { type FixtureBehaviour, FixtureMesh } from './fixture-mesh.ts';
import { partitionRecovery } from './partition-recovery.ts';

const NODES = ['a', 'b', 'c', 'd'];
const SPLIT = { side: ['d'], block_secs: 40, heal_secs: 30 };

/** Nothing crosses the cut; 3 s after the heal the links are back, and 6 s after it logs and caches are equal. */
const WELL: FixtureBehaviour = {
  faulted: (mesh, request) => {
    if (request.kind === 'cut') for (const [from, to] of request.edges) mesh.down.add(`${from} ${to}`);
  },
  reverted: (mesh) => {
    mesh.after(3_000, () => mesh.down.clear());
    mesh.after(6_000, () => {
      mesh.compared += 1;
      for (const node of NODES) mesh.logs.set(node, 40);
    });
  },
};

describe('partition_recovery', () => {
  it('writes on both sides of the cut and times how links and logs recover, and ends when all has', async () => {
    const mesh = new FixtureMesh(NODES, WELL);
    const figures = await mesh.run(partitionRecovery, SPLIT);
    expect(mesh.faults).toMatchObject([{ kind: 'cut' }]);
    expect(figures).toMatchObject({
      delivered_before_ratio: 1,
      delivered_across_cut: 0,
      unsynced_nodes: 0,
      'anti_entropy_rounds a': 1,
      'anti_entropy_rounds d': 1,
      delivered_after_ratio: 1,
    });
    expect(figures.links_back_secs).toBeCloseTo(3, 0);
    expect(figures.resync_secs).toBeCloseTo(6, 0);
    expect(mesh.bursts.map(({ publisher }) => publisher)).toEqual(['d', 'a']);
    expect(mesh.clock.nowMs()).toBeLessThan(40_000 + 20_000);
  });

  it('knows a cut that lets messages pass', async () => {
    const mesh = new FixtureMesh(NODES, { ...WELL, faulted: () => {} });
    expect(await mesh.run(partitionRecovery, SPLIT)).toMatchObject({ delivered_across_cut: 6 });
  });

  it('sees logs that stay apart after the heal, and whose', async () => {
    const mesh = new FixtureMesh(NODES, { ...WELL, reverted: (one) => one.down.clear() });
    expect(await mesh.run(partitionRecovery, SPLIT)).toMatchObject({
      resync_secs: null,
      unsynced_nodes: 4,
      'anti_entropy_rounds a': 0,
      delivered_after_ratio: 1,
    });
    expect(mesh.whyOf('unsynced_nodes')).toContain('d holds 20 of 40 entries');
  });

  it('sees links that do not come back', async () => {
    const mesh = new FixtureMesh(NODES, { ...WELL, reverted: () => {} });
    const figures = await mesh.run(partitionRecovery, SPLIT);
    expect(figures).toMatchObject({ links_back_secs: null, delivered_after_ratio: 0.5 });
    expect(mesh.whyOf('links_back_secs')).toBe('not within 30 s of the heal');
  });

  it('refuses sides that do not fit the fleet, naming the flag', () => {
    const fleet = { anchor: 'a', nodes: NODES };
    for (const [options, message] of [
      [{}, /--partition-pair: partition_recovery needs two nodes, for example --partition-pair c,d/],
      [{ pair: ['a', 'b'] }, /"a" is the anchor/],
      [{ side: ['x'] }, /--partition-side: "x" is not one of/],
      [{ side: NODES }, /not all of them/],
    ] as const) {
      expect(() => partitionRecovery.plannedFaults?.(fleet, options)).toThrow(message);
    }
  });
});
