import { describe, expect, it } from 'vitest';
import { convergence } from './convergence.ts';
import { type FixtureBehaviour, FixtureMesh } from './fixture-mesh.ts';
import { harmOf } from './scenario.ts';

const NODES = ['a', 'b', 'c', 'd'];
const SHORT = { write_secs: 10, heal_secs: 20, sustain_secs: 5 };

/** A cut that keeps entries from the other side, and a heal after which all have all. */
const WELL: FixtureBehaviour = {
  faulted: (mesh, request) => {
    if (request.kind === 'cut') for (const [from, to] of request.edges) mesh.down.add(`${from} ${to}`);
  },
  reverted: (mesh) => {
    mesh.down.clear();
    mesh.after(4_000, () => {
      for (const node of NODES) mesh.logs.set(node, 1_000);
    });
  },
};

describe('convergence', () => {
  it('writes on every node and finds all logs equal', async () => {
    const mesh = new FixtureMesh(NODES);
    const figures = await mesh.run(convergence, SHORT);
    expect(mesh.faults).toEqual([]);
    expect(figures).toMatchObject({ entries_refused: 0, unequal_nodes: 0, diverged_looks: 0 });
    expect(figures.entries_written).toBeGreaterThanOrEqual(4 * 49);
    expect(figures.equal_secs).toBeLessThan(1);
  });

  it('writes on both sides of a partition and counts from its heal', async () => {
    const mesh = new FixtureMesh(NODES, WELL);
    const figures = await mesh.run(convergence, { ...SHORT, side: ['d'] });
    expect(mesh.faults).toMatchObject([{ kind: 'cut' }]);
    expect(figures.equal_secs).toBeCloseTo(4, 0);
    expect(figures).toMatchObject({ unequal_nodes: 0, diverged_looks: 0 });
  });

  it('sees a log that never gets what the others hold', async () => {
    const mesh = new FixtureMesh(NODES, { ...WELL, reverted: () => {} });
    const figures = await mesh.run(convergence, { ...SHORT, side: ['d'] });
    expect(figures).toMatchObject({ equal_secs: null, diverged_looks: null });
    expect(figures.unequal_nodes).toBeGreaterThan(0);
    expect(mesh.whyOf('unequal_nodes')).toMatch(/d holds \d+ of \d+ entries/);
  });

  it('sees logs that part again after they were equal', async () => {
    const mesh = new FixtureMesh(NODES);
    mesh.after(13_000, () => mesh.logs.set('b', 7));
    const figures = await mesh.run(convergence, SHORT);
    expect(figures.unequal_nodes).toBe(0);
    expect(figures.diverged_looks).toBeGreaterThan(0);
    expect(mesh.whyOf('diverged_looks')).toContain('b holds 7 of');
  });

  it('counts what a node refuses, with the reasons', async () => {
    const mesh = new FixtureMesh(NODES);
    mesh.unreadable.add('c');
    const figures = await mesh.run(convergence, SHORT);
    expect(figures.entries_refused).toBeGreaterThan(0);
    expect(mesh.whyOf('entries_refused')).toContain('c does not answer');
    expect(figures.unequal_nodes).toBe(1);
  });

  it('does harm only when a side is named', () => {
    expect(harmOf(convergence, {})).toBeNull();
    expect(harmOf(convergence, { side: ['d'] })).toBe('partition');
    expect(harmOf(convergence, { side: 7 })).toBeNull(); // refused when the plan is made
    const fleet = { anchor: 'a', nodes: NODES };
    expect(() => convergence.plannedFaults?.(fleet, { side: ['x'] })).toThrow(/--converge-side: "x"/);
    expect(() => convergence.plannedFaults?.(fleet, { side: NODES })).toThrow(/not all of them/);
  });
});
