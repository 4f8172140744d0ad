import { describe, expect, it } from 'vitest';
import { FixtureService } from './fixture-service.ts';
import { restartStorm } from './restart-storm.ts';

const NODES = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('restart_storm', () => {
  it('restarts a third of the fleet at once, never the anchor, and times each way back', async () => {
    const restarted: string[] = [];
    const mesh = new FixtureService(NODES, { restarted: (_mesh, node) => restarted.push(node) });
    await mesh.run(restartStorm);
    expect(restarted).toEqual(['b', 'c']);
    expect(mesh.valuesOf('meshed_secs')).toEqual({ b: 0, c: 0 });
    expect(mesh.valuesOf('delivering_secs')).toEqual({ b: expect.any(Number), c: expect.any(Number) });
    expect(mesh.records).toMatchObject([
      { type: 'node_recovered', node: 'b', after_ms: expect.any(Number) },
      { type: 'node_recovered', node: 'c', after_ms: expect.any(Number) },
    ]);
  });

  it('does not take the old process for the new one', async () => {
    const restarted = (mesh: FixtureService, name: string) => {
      mesh.node(name).boot -= 1;
    };
    const mesh = new FixtureService(NODES, { restarted });
    await mesh.run(restartStorm, { count: 1, recover_secs: 5 });
    expect(mesh.valuesOf('meshed_secs')).toEqual({ b: null });
    expect(mesh.records).toMatchObject([{ type: 'node_recovered', node: 'b', after_ms: null }]);
  });

  it('sees a node that is back in the mesh and does not deliver', async () => {
    const delivers = (from: string, to: string) => !(from === 'b' && to === 'a');
    const mesh = new FixtureService(NODES, { delivers });
    await mesh.run(restartStorm, { count: 1, recover_secs: 5 });
    expect(mesh.valuesOf('meshed_secs')).toEqual({ b: 0 });
    expect(mesh.valuesOf('delivering_secs')).toEqual({ b: null });
    expect(mesh.records).toMatchObject([{ type: 'node_recovered', node: 'b', after_ms: null }]);
  });
});
