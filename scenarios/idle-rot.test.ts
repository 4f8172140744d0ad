import { describe, expect, it } from 'vitest';
import { FixtureMesh } from './fixture-mesh.ts';
import { idleRot } from './idle-rot.ts';

const NODES = ['a', 'b', 'c'];

describe('idle_rot', () => {
  it('says nothing for as long as it was told, then sends over every pair', async () => {
    const mesh = new FixtureMesh(NODES);
    expect(await mesh.run(idleRot)).toMatchObject({
      delivered_ratio: 1,
      first_attempt_ratio: 1,
      'published_in_silence b': 0,
      'links_changed b': 0,
    });
    expect(mesh.faults).toEqual([]);
    expect(mesh.seenAs).toHaveLength(1);
    expect(mesh.seenAs[0]?.atMs).toBeGreaterThanOrEqual(120_000);
    expect(mesh.bursts).toMatchObject([{ publisher: 'a', messages: 200 }]);
  });

  it('sees links that rotted and were not replaced', async () => {
    const mesh = new FixtureMesh(NODES);
    mesh.after(60_000, () => mesh.unlink('b', 'c'));
    const figures = await mesh.run(idleRot);
    expect(figures.delivered_ratio).toBeCloseTo(4 / 6);
    expect(figures).toMatchObject({ 'links_changed b': 1, 'links_changed c': 1, 'links_changed a': 0 });
    expect(mesh.whyOf('delivered_ratio')).toContain('b→c: no result');
  });

  it('tells of links that were replaced in the silence, which delivered all the same', async () => {
    const mesh = new FixtureMesh(NODES);
    mesh.after(60_000, () => mesh.relink('b', 'c'));
    expect(await mesh.run(idleRot)).toMatchObject({ delivered_ratio: 1, 'links_changed b': 1 });
  });

  it('knows a silence in which somebody spoke', async () => {
    const mesh = new FixtureMesh(NODES);
    mesh.after(60_000, () => {
      mesh.published += 3;
    });
    expect(await mesh.run(idleRot)).toMatchObject({ 'published_in_silence a': 3 });
  });

  it('has no figure of a node that restarted or cannot be read', async () => {
    const mesh = new FixtureMesh(NODES);
    mesh.after(60_000, () => {
      mesh.boots.set('b', 2);
      mesh.unreadable.add('c');
    });
    expect(await mesh.run(idleRot)).toMatchObject({
      'published_in_silence b': null,
      'published_in_silence c': null,
      'published_in_silence a': 0,
    });
  });
});
