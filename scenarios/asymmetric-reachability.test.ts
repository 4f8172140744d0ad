import { describe, expect, it } from 'vitest';
import { FaultError } from '../kit/errors.ts';
import { asymmetricReachability } from './asymmetric-reachability.ts';
import { type FixtureBehaviour, FixtureMesh } from './fixture-mesh.ts';

const NODES = ['a', 'b', 'c', 'd'];

/** The link is closed after 25 s and made anew 2 s later. */
const WELL: FixtureBehaviour = {
  faulted: (mesh) => {
    mesh.after(25_000, () => mesh.unlink('c', 'd'));
    mesh.after(27_000, () => mesh.relink('c', 'd'));
  },
};

describe('asymmetric_reachability', () => {
  it('cuts one direction for what is large and old, and times when the link is found and replaced', async () => {
    const mesh = new FixtureMesh(NODES, WELL);
    const figures = await mesh.run(asymmetricReachability);
    expect(mesh.faults).toEqual([{ kind: 'cut', edges: [['c', 'd']], largerThanBytes: 300, flows: 'live' }]);
    expect(figures).toMatchObject({
      delivered_before_ratio: 1,
      unrepaired_links: 0,
      delivered_over_new_link_ratio: 1,
      'bystander_links_lost a': 0,
      'bystander_links_lost c': 0,
    });
    expect(figures.closed_secs).toBeCloseTo(25, 0);
    expect(figures.redialled_secs).toBeCloseTo(27, 0);
    expect(mesh.seenAs.map(({ label }) => label)).toContain('replaced');
  });

  it('sees a link that is replaced faster than anybody looks', async () => {
    const mesh = new FixtureMesh(NODES, {
      faulted: (one) => one.after(30_000, () => one.relink('c', 'd')),
    });
    const { closed_secs: closed, redialled_secs: redialled } = await mesh.run(asymmetricReachability);
    expect(closed).toBeCloseTo(30, 0);
    expect(redialled).toBeCloseTo(30, 0);
  });

  it('sees a half-dead link that nobody finds', async () => {
    const mesh = new FixtureMesh(NODES);
    const figures = await mesh.run(asymmetricReachability);
    expect(figures).toMatchObject({ closed_secs: null, redialled_secs: null, unrepaired_links: 1 });
    expect(mesh.whyOf('unrepaired_links')).toBe('the link of c and d was never closed');
  });

  it('sees a link that is closed and not replaced, and one end that never notices', async () => {
    const mesh = new FixtureMesh(NODES, {
      faulted: (one) => one.after(25_000, () => void one.down.add('c d')),
    });
    expect(await mesh.run(asymmetricReachability)).toMatchObject({
      redialled_secs: null,
      unrepaired_links: 1,
      delivered_over_new_link_ratio: 0.5,
    });
    expect(mesh.whyOf('unrepaired_links')).toContain('was closed and not replaced');
  });

  it('sees another link that is lost with it', async () => {
    const mesh = new FixtureMesh(NODES, {
      faulted: (one, request) => {
        WELL.faulted?.(one, request);
        one.after(5_000, () => one.relink('a', 'd'));
      },
    });
    const figures = await mesh.run(asymmetricReachability);
    expect(figures).toMatchObject({
      'bystander_links_lost a': 1,
      'bystander_links_lost d': 1,
      'bystander_links_lost c': 0,
    });
    expect(mesh.whyOf('bystander_links_lost', 'd')).toBe('d has another link to a, or none');
  });

  it('lifts the cut when the link is closed where hosts cannot tell new connections from old ones', async () => {
    const mesh = new FixtureMesh(NODES, {
      faulted: (one, request) => {
        if (request.kind === 'cut' && request.flows === 'live')
          throw new FaultError('FAULT_UNAVAILABLE', 'its cuts cannot tell');
        one.after(25_000, () => one.unlink('c', 'd'));
      },
      reverted: (one) => one.after(3_000, () => one.relink('c', 'd')),
    });
    const figures = await mesh.run(asymmetricReachability);
    expect(mesh.faults.at(-1)).toEqual({ kind: 'cut', edges: [['c', 'd']], largerThanBytes: 300 });
    expect(figures).toMatchObject({ unrepaired_links: 0, delivered_over_new_link_ratio: 1 });
    expect(figures.closed_secs).toBeCloseTo(25, 0);
    expect(figures.redialled_secs).toBeCloseTo(28, 0);
  });

  it('has no figure where an end cannot be read', async () => {
    const mesh = new FixtureMesh(NODES, { faulted: (one) => void one.unreadable.add('d') });
    expect(await mesh.run(asymmetricReachability)).toMatchObject({
      unrepaired_links: null,
      'bystander_links_lost d': null,
    });
  });

  it('refuses the anchor, strangers and a pair of one', () => {
    const fleet = { anchor: 'a', nodes: NODES };
    for (const [pair, message] of [
      [['a', 'b'], /"a" is the anchor/],
      [['b', 'x'], /"x" is not one of/],
      [['b', 'b'], /named twice/],
    ] as const) {
      expect(() => asymmetricReachability.plannedFaults?.(fleet, { pair })).toThrow(message);
    }
  });
});
