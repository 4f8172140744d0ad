import { describe, expect, it } from 'vitest';
import { type FixtureBehaviour, FixtureMesh } from './fixture-mesh.ts';
import { stalePeer } from './stale-peer.ts';

const NODES = ['a', 'b', 'c', 'd'];
const OTHERS = ['a', 'b', 'c'];

/** Links to the paused node end after 30 s, and are back 3 s after it goes on. */
const WELL: FixtureBehaviour = {
  faulted: (mesh) => {
    mesh.unreadable.add('d');
    mesh.after(30_000, () => {
      for (const node of OTHERS) mesh.unlink(node, 'd');
    });
  },
  reverted: (mesh) => {
    mesh.unreadable.delete('d');
    mesh.after(3_000, () => {
      for (const node of OTHERS) mesh.relink(node, 'd');
    });
  },
};

describe('stale_peer', () => {
  it('times when the others give the paused node up, and its way back', async () => {
    const mesh = new FixtureMesh(NODES, WELL);
    const figures = await mesh.run(stalePeer);
    expect(mesh.faults).toEqual([{ kind: 'pause', node: 'd' }]);
    expect(figures).toMatchObject({
      never_marked_down: 0,
      delivered_beside_ratio: 1,
      unrecovered: 0,
    });
    for (const node of OTHERS) expect(figures[`marked_down_secs ${node}`]).toBeCloseTo(30, 0);
    expect(figures.meshed_secs).toBeCloseTo(3, 0);
    expect(figures.delivering_secs).toBeGreaterThanOrEqual(figures.meshed_secs ?? Number.NaN);
    expect(mesh.bursts.map(({ subscribers }) => subscribers)).toEqual([OTHERS, undefined]);
  });

  it('sees who keeps the dead node for alive; an observer that cannot be read has not given it up', async () => {
    const mesh = new FixtureMesh(NODES, {
      ...WELL,
      faulted: (one) => {
        one.unreadable.add('d').add('b');
        one.after(30_000, () => one.unlink('a', 'd'));
      },
    });
    const figures = await mesh.run(stalePeer);
    expect(figures).toMatchObject({
      never_marked_down: 2,
      'marked_down_secs b': null,
      'marked_down_secs c': null,
    });
    expect(mesh.whyOf('never_marked_down')).toBe('b, c kept a link to d');
  });

  it('sees a node that never comes back', async () => {
    const mesh = new FixtureMesh(NODES, { ...WELL, reverted: () => {} });
    const figures = await mesh.run(stalePeer, { recover_secs: 20 });
    expect(figures).toMatchObject({ meshed_secs: null, delivering_secs: null, unrecovered: 1 });
    expect(mesh.whyOf('unrecovered')).toContain('d did not deliver again: it was not linked to all');
  });

  it('sees harm among those that were not paused', async () => {
    const mesh = new FixtureMesh(NODES, {
      ...WELL,
      faulted: (one, request) => {
        WELL.faulted?.(one, request);
        one.after(10_000, () => one.unlink('a', 'b'));
      },
    });
    const figures = await mesh.run(stalePeer, { recover_secs: 10 });
    expect(figures.delivered_beside_ratio).toBeCloseTo(4 / 6);
    expect(mesh.whyOf('delivered_beside_ratio')).toContain('a→b: no result');
  });
});
