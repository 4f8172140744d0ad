import { describe, expect, it } from 'vitest';
import { badExternalPeer, manyBadPeers } from './bad-peers.ts';
import { FixtureService } from './fixture-service.ts';
import { OUTSIDER_KINDS, OUTSIDER_TOPIC, type OutsiderKind } from './outsiders.ts';

const NODES = ['a', 'b', 'c'];
const STRANGER = 'ff'.repeat(32);
const MIB = 1024 * 1024;

/** What a sound node counts of each kind of outsider. */
function count(mesh: FixtureService, kinds: readonly OutsiderKind[]): void {
  for (const name of mesh.nodes) {
    const node = mesh.node(name);
    for (const kind of kinds) {
      if (kind === 'garbage') node.malformed += 2;
      if (kind === 'forger') node.forged += 3;
      if (kind === 'flooder') node.framesOfStrangers += 500;
      if (kind === 'silent') node.timeoutsToStrangers += 5;
      if (kind === 'stranger') node.wrongNetwork += 4;
    }
    node.strangers = [STRANGER];
  }
}

function leave(mesh: FixtureService): void {
  for (const name of mesh.nodes) mesh.node(name).strangers = [];
}

describe('bad_external_peer', () => {
  it('lets each kind come in turn, with matrix and burst during each, and finds a sound mesh sound', async () => {
    const joins: string[] = [];
    const mesh = new FixtureService(NODES, {
      joined: (at, kinds) => {
        joins.push(kinds.join());
        count(at, kinds);
      },
      left: leave,
    });
    await mesh.run(badExternalPeer);
    expect(joins).toEqual([...OUTSIDER_KINDS]);
    expect(mesh.bursts).toHaveLength(OUTSIDER_KINDS.length);
    const noticed = mesh.figures.filter(({ name }) => name === 'noticed');
    expect(noticed).toHaveLength(OUTSIDER_KINDS.length * NODES.length);
    for (const { value } of noticed) expect(value).toBeGreaterThan(0);
    const [attempts] = mesh.figures.filter(({ name }) => name === 'attempts');
    expect(attempts?.why).toBe(
      'garbage from a host apart: 3 dials, 2 links, 1 refused (DIAL_FAILED), 9 frames, 1 closed by nodes',
    );
    expect(Object.values(mesh.valuesOf('delivered_ratio'))).toEqual([1, 1, 1, 1, 1]);
    expect(mesh.valuesOf('honest_suppressed')).toEqual({ a: 0, b: 0, c: 0 });
    expect(mesh.valuesOf('strangers_left')).toEqual({ a: 0, b: 0, c: 0 });
    expect(mesh.records.map((one) => one.type === 'target_declared' && one.node)).toEqual(NODES);
  });

  it.each(OUTSIDER_KINDS)(
    'knows an attack by %s that a node did not notice, and what came of it',
    async (kind) => {
      const others = OUTSIDER_KINDS.filter((other) => other !== kind);
      const mesh = new FixtureService(NODES, { joined: (at) => count(at, others), left: leave });
      await mesh.run(badExternalPeer, { kinds: [kind] });
      expect(mesh.valuesOf('noticed')).toEqual({ a: 0, b: 0, c: 0 });
      const [noticed] = mesh.figures.filter(({ name }) => name === 'noticed');
      expect(noticed?.why).toMatch(/ 0, of outsiders from a host apart: 3 dials, .*DIAL_FAILED/);
    },
  );

  it('sees links that outlive the outsiders', async () => {
    const mesh = new FixtureService(NODES, { joined: count });
    await mesh.run(badExternalPeer, { kinds: ['silent'] });
    expect(mesh.valuesOf('strangers_left')).toEqual({ a: 1, b: 1, c: 1 });
  });

  it('does not wait long for what a node that is down has left of them', async () => {
    const left = (mesh: FixtureService) => {
      leave(mesh);
      mesh.node('b').answers = 'no';
    };
    const mesh = new FixtureService(NODES, { joined: count, left });
    await mesh.run(badExternalPeer, { kinds: ['garbage'], attack_secs: 5 });
    expect(mesh.valuesOf('strangers_left')).toEqual({ a: 0, b: null, c: 0 });
    expect(mesh.clock.nowMs()).toBeLessThan(5_000 + 15_000);
  });

  it('sees messages between members that were lost under attack', async () => {
    const delivers = (from: string, to: string) => !(from === 'b' && to === 'c');
    const mesh = new FixtureService(NODES, { joined: count, left: leave, delivers });
    await mesh.run(badExternalPeer, { kinds: ['garbage'] });
    const [figure] = mesh.figures.filter(({ name }) => name === 'delivered_ratio');
    expect(figure?.value).toBeCloseTo(5 / 6);
    expect(figure?.why).toContain('b→c: no result');
  });

  it('has no figure of a node that restarted under attack', async () => {
    const joined = (mesh: FixtureService) => {
      mesh.node('b').boot += 1;
    };
    const mesh = new FixtureService(NODES, { joined, left: leave });
    await mesh.run(badExternalPeer, { kinds: ['garbage'] });
    expect(mesh.valuesOf('noticed')).toMatchObject({ b: null });
    expect(mesh.valuesOf('rss_growth_mib')).toMatchObject({ b: null });
  });

  it('refuses a kind that nobody knows before the run, naming the flag', () => {
    const fleet = { anchor: 'a', nodes: NODES };
    expect(() => badExternalPeer.plannedFaults?.(fleet, { kinds: ['loud'] })).toThrow(
      /--outsider-kinds: "loud" is not one of garbage/,
    );
  });
});

describe('many_bad_peers', () => {
  it('lets all kinds come at once, as many of each as asked for', async () => {
    const joins: (readonly OutsiderKind[])[] = [];
    const mesh = new FixtureService(NODES, { joined: (_mesh, kinds) => joins.push(kinds), left: leave });
    await mesh.run(manyBadPeers, { of_each: 3 });
    expect(joins).toHaveLength(1);
    expect(joins[0]).toHaveLength(15);
    expect(joins[0]?.filter((kind) => kind === 'forger')).toHaveLength(3);
  });

  it('sees memory that grew at any look, and honest peers that rested on a topic of the mesh', async () => {
    const mesh = new FixtureService(NODES, {
      joined: (at) => {
        at.node('b').rssBytes += 700 * MIB;
        at.node('c').suppressed = [
          { peer: at.machineIdOf('a'), topic: 'news' },
          { peer: at.machineIdOf('b'), topic: OUTSIDER_TOPIC },
          { peer: STRANGER, topic: 'news' },
        ];
      },
      left: (at) => {
        at.node('b').rssBytes -= 700 * MIB;
        at.node('c').suppressed = [];
      },
    });
    await mesh.run(manyBadPeers);
    expect(mesh.valuesOf('rss_growth_mib')).toEqual({ a: 0, b: 700, c: 0 });
    expect(mesh.valuesOf('honest_suppressed')).toEqual({ a: 0, b: 0, c: 1 });
  });
});
