import { describe, expect, it } from 'vitest';
import { FixtureService } from './fixture-service.ts';
import { rollingUpgrade } from './rolling-upgrade.ts';

const NODES = ['a', 'b', 'c', 'd'];

describe('rolling_upgrade', () => {
  it('restarts all but the anchor one by one onto the other bundle', async () => {
    const order: string[] = [];
    const mesh = new FixtureService(NODES, { restarted: (_mesh, node) => order.push(node) });
    await mesh.run(rollingUpgrade);
    expect(order).toEqual(['b', 'c', 'd']);
    expect(NODES.map((node) => mesh.node(node).bundle)).toEqual(['old', 'new', 'new', 'new']);
    expect(mesh.valuesOf('not_upgraded')).toEqual({ mesh: 0 });
    expect(mesh.valuesOf('delivered_after_ratio')).toEqual({ mesh: 1 });
    expect(Object.keys(mesh.valuesOf('back_secs'))).toEqual(['b', 'c', 'd']);
    expect(mesh.bursts).toHaveLength(1);
  });

  it('sees a node that still runs the old bundle, and says which', async () => {
    const restarted = (mesh: FixtureService, name: string) => {
      if (name === 'c') mesh.node(name).bundle = 'old';
    };
    const mesh = new FixtureService(NODES, { restarted });
    await mesh.run(rollingUpgrade);
    const [figure] = mesh.figures.filter(({ name }) => name === 'not_upgraded');
    expect(figure).toMatchObject({
      value: 1,
      why: expect.stringMatching(/^c runs .* \(version old\), not /),
    });
  });

  it('sees pairs beside the restarting node that do not deliver', async () => {
    const mesh = new FixtureService(NODES, { delivers: (from, to) => !(from === 'a' && to === 'b') });
    await mesh.run(rollingUpgrade, { nodes: ['c'] });
    const [during] = mesh.figures.filter(({ name }) => name === 'delivered_during_ratio');
    expect(during?.value).toBeCloseTo(5 / 6); // a, b and d
    expect(during?.why).toContain('a→b: no result');
  });

  it('keeps a pace while it waits, however fast the messages are', async () => {
    const atMs: number[] = [];
    const mesh: FixtureService = new FixtureService(NODES, {
      restarted: (_mesh, name) => {
        mesh.node(name).answers = 'no';
      },
      delivers: (from, to) => {
        if (from === 'a' && to === 'b') atMs.push(mesh.clock.nowMs());
        return true;
      },
    });
    await mesh.run(rollingUpgrade, { nodes: ['c'], recover_secs: 5 });
    const during = atMs.slice(0, -1); // the last one is of the matrix after the upgrade
    expect(during.length).toBeGreaterThan(10);
    const pauses = during.slice(1).map((at, before) => at - (during[before] ?? 0));
    expect(Math.min(...pauses)).toBe(250);
  });

  it('declares what it gives each node to run, and the end of its way back', async () => {
    const mesh = new FixtureService(NODES);
    await mesh.run(rollingUpgrade, { nodes: ['b'] });
    expect(mesh.records).toMatchObject([
      { type: 'upgrade_staged', node: 'b', window: 1 },
      { type: 'node_recovered', node: 'b', after_ms: expect.any(Number) },
    ]);
  });

  it('has no time of a node that never comes back', async () => {
    const restarted = (mesh: FixtureService, name: string) => {
      mesh.node(name).answers = 'no';
    };
    const mesh = new FixtureService(NODES, { restarted });
    await mesh.run(rollingUpgrade, { nodes: ['b'], recover_secs: 5 });
    expect(mesh.valuesOf('back_secs')).toEqual({ b: null });
    expect(mesh.valuesOf('not_upgraded')).toEqual({ 'b is silent': 1 });
  });

  it('tells its restarts before the run, one after the other, and refuses nodes that are not there', () => {
    const fleet = { anchor: 'a', nodes: NODES };
    const planned = rollingUpgrade.plannedFaults?.(fleet, {});
    expect(planned).toEqual(['b', 'c', 'd'].map((node) => ({ kind: 'restart', nodes: [node] })));
    expect(() => rollingUpgrade.plannedFaults?.(fleet, { nodes: ['x'] })).toThrow(/--upgrade-nodes: "x"/);
    expect(() => rollingUpgrade.plannedFaults?.({ anchor: 'a', nodes: ['a', 'b'] }, {})).toThrow(
      /at least 3/,
    );
  });
});
