import { describe, expect, it } from 'vitest';
import { type FixtureBehaviour, FixtureMesh } from './fixture-mesh.ts';
import { highRttPeer } from './high-rtt-peer.ts';

const NODES = ['a', 'b', 'c', 'd'];
const OTHERS = ['a', 'b', 'c'];

/** Everybody cools the slow node 7 s after it became slow, and takes it back 20 s after the heal. */
const WELL: FixtureBehaviour = {
  faulted: (mesh) =>
    mesh.after(7_000, () => {
      for (const node of OTHERS) mesh.cool(node, 'd');
    }),
  reverted: (mesh) => mesh.after(20_000, () => mesh.suppressing.clear()),
};

describe('high_rtt_peer', () => {
  it('measures who held back, since when, for how long, and that nobody else suffered', async () => {
    const mesh = new FixtureMesh(NODES, WELL);
    const figures = await mesh.run(highRttPeer);
    expect(mesh.faults).toEqual([
      {
        kind: 'shape',
        edges: OTHERS.map((other) => ['d', other]),
        delayMs: 1_500,
        jitterMs: 200,
      },
    ]);
    expect(figures).toMatchObject({
      cooled_by_ratio: 1,
      'cooling_events a': 1,
      'send_timeouts a': 5,
      undrained_observers: 0,
      'bystander_coolings a': 0,
      'bystander_coolings d': 0,
      delivered_beside_ratio: 1,
      delivered_after_ratio: 1,
    });
    expect(figures.first_cooled_secs).toBeCloseTo(10, 0); // looks are 5 s apart
    expect(figures.drained_secs).toBeGreaterThanOrEqual(20);
    expect(figures.drained_secs).toBeLessThan(26);
    const labels = mesh.seenAs.map(({ label }) => label);
    for (const label of ['start', 'injecting', 'mid', 'window_end', 'healing', 'end']) {
      expect(labels).toContain(label);
    }
    expect(mesh.bursts).toMatchObject([{ publisher: 'a', messages: 360, delayMs: 500 }]);
  });

  it('counts only what happened since the start, whatever was held back on before', async () => {
    const mesh = new FixtureMesh(NODES);
    for (const node of OTHERS) mesh.cool(node, 'd');
    const figures = await mesh.run(highRttPeer, { window_secs: 30, heal_secs: 30 });
    expect(figures).toMatchObject({ cooled_by_ratio: 0, 'cooling_events a': 0, undrained_observers: 0 });
    expect(mesh.whyOf('cooled_by_ratio')).toBe('d was not cooled by a, b, c');
  });

  it('sees an observer that does not hold back, and says which', async () => {
    const faulted = (mesh: FixtureMesh) => mesh.after(7_000, () => mesh.cool('b', 'd'));
    const mesh = new FixtureMesh(NODES, { ...WELL, faulted });
    const figures = await mesh.run(highRttPeer);
    expect(figures.cooled_by_ratio).toBeCloseTo(1 / 3);
    expect(mesh.whyOf('cooled_by_ratio')).toBe('d was not cooled by a, c');
  });

  it('sees a slow node that is never taken back', async () => {
    const mesh = new FixtureMesh(NODES, { ...WELL, reverted: () => {} });
    const figures = await mesh.run(highRttPeer);
    expect(figures).toMatchObject({ drained_secs: null, undrained_observers: 3 });
    expect(mesh.whyOf('undrained_observers')).toContain('b on 1 topics');
  });

  it('sees a bystander that is cooled, and by whom', async () => {
    const mesh = new FixtureMesh(NODES, {
      ...WELL,
      faulted: (one) => {
        WELL.faulted?.(one, { kind: 'shape', edges: [] });
        one.after(9_000, () => one.cool('a', 'b'));
      },
    });
    expect(await mesh.run(highRttPeer)).toMatchObject({
      'bystander_coolings a': 1,
      'bystander_coolings b': 0,
    });
  });

  it('has no figure where an observer cannot be read, and where the delay is too small to matter', async () => {
    const blind = new FixtureMesh(NODES, WELL);
    blind.after(1_000, () => blind.unreadable.add('c'));
    const short = { window_secs: 20, heal_secs: 10 };
    expect(await blind.run(highRttPeer, short)).toMatchObject({
      cooled_by_ratio: null,
      'bystander_coolings c': null,
      'bystander_coolings a': 0,
    });
    const mild = new FixtureMesh(NODES, WELL);
    expect(await mild.run(highRttPeer, { ...short, delay_ms: 300 })).toMatchObject({ cooled_by_ratio: null });
    expect(mild.whyOf('cooled_by_ratio')).toContain('300 ms is no delay');
  });

  it('refuses a target that is not of the fleet', () => {
    const fleet = { anchor: 'a', nodes: NODES };
    expect(() => highRttPeer.plannedFaults?.(fleet, { target: 'x' })).toThrow(/--target-node: "x"/);
    expect(() => highRttPeer.plannedFaults?.({ anchor: 'a', nodes: ['a', 'b'] }, {})).toThrow(/three nodes/);
  });
});
