import { describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { GossipEffect } from './gossip-effect.ts';
import { gossipNodes } from './gossip-nodes.ts';
import type { HeldMessage } from './message-cache.ts';
import { PlumTree } from './plumtree.ts';
import { DEFAULT_PLUMTREE_LIMITS } from './plumtree-limits.ts';
import type { TreesOfPeer } from './topic-links.ts';

const TOPIC = 't';
let made = 0;

function messageOf(origin: string, hops = 1): HeldMessage {
  made += 1;
  return { id: sha256Hex(`${made}`), topic: TOPIC, origin, hops, bornAtMs: 0, frame: new Uint8Array(9) };
}

function coreWith(peers: Readonly<Record<string, TreesOfPeer>>, maxTrees = 1_024): PlumTree {
  const core = new PlumTree({ ...DEFAULT_PLUMTREE_LIMITS, maxTrees });
  for (const [peer, trees] of Object.entries(peers)) core.peerUp(peer, trees, 0);
  return core;
}

const abc = { a: 'perOrigin', b: 'perOrigin', c: 'perOrigin' } as const;

/** A core in which each of `origins` has published twice, `a` having brought all of it. */
function settled(origins: readonly string[], maxTrees?: number, peers: Parameters<typeof coreWith>[0] = abc) {
  const core = coreWith(peers, maxTrees);
  for (const origin of [...origins, ...origins]) core.received('a', messageOf(origin), 0);
  return core;
}

/** `push peers`, or `kind peer origin`, where `all` stands for every tree of the topic. */
function briefly(effects: readonly GossipEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'push') return [`push ${effect.peers.join(' ')}`];
    if (effect.type === 'reply') return [`reply ${effect.peer}`];
    const { peer, frame } = effect;
    if (frame.kind === 'graft' || frame.kind === 'prune')
      return [`${frame.kind} ${peer} ${frame.origin ?? 'all'}`];
    return frame.kind === 'iwant' ? [`iwant ${peer}`] : [];
  });
}

const treesOf = (core: PlumTree) => core.topics.get(TOPIC)?.originTreeCount;

describe('the tree of an origin', () => {
  it('loses the link of a duplicate, and the trees of others keep it', () => {
    const core = settled(['x', 'y']);
    const first = messageOf('x');
    core.received('a', first, 10);
    expect(briefly(core.duplicate('b', first.id, 11))).toEqual(['prune b x']);
    expect(briefly(core.received('a', messageOf('x'), 12))).toEqual(['push c']);
    expect(briefly(core.received('a', messageOf('y'), 13))).toEqual(['push b c']);
  });

  it('obeys a GRAFT or PRUNE that names it, and every tree one that names none', () => {
    const core = settled(['x', 'y']);
    core.control('b', { kind: 'prune', topic: TOPIC, origin: 'x' }, 10);
    expect(briefly(core.received('a', messageOf('x'), 11))).toEqual(['push c']);
    expect(briefly(core.received('a', messageOf('y'), 11))).toEqual(['push b c']);
    core.control('c', { kind: 'prune', topic: TOPIC }, 12);
    expect(briefly(core.received('a', messageOf('x'), 13))).toEqual([]);
    expect(briefly(core.received('a', messageOf('y'), 13))).toEqual(['push b']);
    core.control('b', { kind: 'graft', topic: TOPIC, origin: 'x' }, 14);
    expect(briefly(core.received('a', messageOf('x'), 15))).toEqual(['push b']);
    core.control('c', { kind: 'graft', topic: TOPIC }, 16);
    expect(briefly(core.received('a', messageOf('x'), 17))).toEqual(['push b c']);
    expect(briefly(core.received('a', messageOf('y'), 17))).toEqual(['push b c']);
  });

  it('begins with the second message of an origin, and with the first one on a new topic', () => {
    const core = coreWith(abc);
    core.received('a', messageOf('x'), 0);
    expect(treesOf(core)).toBe(1);
    core.received('a', messageOf('y'), 1);
    expect(treesOf(core)).toBe(1);
    core.received('a', messageOf('y'), 2);
    expect(treesOf(core)).toBe(2);
  });

  it('keeps the link over which our own message comes back, until the peer itself prunes it', () => {
    const core = coreWith(abc);
    const ours = messageOf('us', 0);
    core.published(ours, 0);
    expect(briefly(core.duplicate('b', ours.id, 100))).toEqual([]);
    core.control('b', { kind: 'prune', topic: TOPIC, origin: 'us' }, 110);
    expect(briefly(core.published(messageOf('us', 0), 200))).toEqual(['push a c']);
    expect(briefly(core.duplicate('b', ours.id, 2_000))).toEqual(['prune b us']); // it has not heard of that
  });

  it('takes in who answered the second question for a message', () => {
    const core = settled(['x']);
    const shown = messageOf('x');
    core.received('a', shown, 10);
    for (const peer of ['b', 'c']) core.duplicate(peer, shown.id, 11);
    const missing = messageOf('x');
    const told = {
      kind: 'ihave',
      topics: [{ topic: TOPIC, entries: [{ id: missing.id, hops: 1 }] }],
    } as const;
    expect(briefly(core.control('b', told, 1_000))).toEqual(['iwant b']);
    core.control('c', told, 1_010);
    expect(briefly(core.tick(1_080))).toContain('iwant c');
    expect(briefly(core.received('c', missing, 1_090))).toContain('graft c x');
  });

  it('has no link that rests, and a link that rests is taken out of all trees by one PRUNE', () => {
    const core = settled(['x', 'y']);
    const stalls = Array.from({ length: 5 }, () => core.health.stalled('b', new Set([TOPIC]), 10));
    expect(briefly(stalls.flat())).toEqual(['prune b all']);
    expect(briefly(core.control('b', { kind: 'graft', topic: TOPIC, origin: 'x' }, 20))).toEqual([
      'prune b x',
    ]);
    for (const origin of ['x', 'y', 'z', 'z'])
      expect(briefly(core.received('a', messageOf(origin), 30))).toEqual(['push c']);
  });

  it('takes a link back when its last one is gone, and leaves the other trees alone', () => {
    const core = settled(['x', 'y']);
    const shown = messageOf('x');
    core.received('a', shown, 10);
    for (const peer of ['b', 'c']) core.duplicate(peer, shown.id, 11);
    expect(briefly(core.peerDown('a', 20))).toEqual(['graft b x']);
  });
});

describe('a peer that knows one tree per topic', () => {
  const mixed = { a: 'perOrigin', b: 'shared', c: 'perOrigin' } as const;

  it('hears of no origin, and has the same role in all trees, later ones too', () => {
    const core = settled(['x', 'y'], undefined, mixed);
    const shown = messageOf('x');
    core.received('a', shown, 10);
    expect(briefly(core.duplicate('b', shown.id, 11))).toEqual(['prune b all']);
    for (const origin of ['x', 'y', 'z', 'z'])
      expect(briefly(core.received('a', messageOf(origin), 20))).toEqual(['push c']);
    core.control('b', { kind: 'graft', topic: TOPIC }, 30);
    for (const origin of ['x', 'y', 'z'])
      expect(briefly(core.received('a', messageOf(origin), 40))).toEqual(['push b c']);
  });

  it('is grafted for the whole topic', () => {
    const core = settled(['x', 'y'], undefined, mixed);
    core.control('b', { kind: 'prune', topic: TOPIC }, 10);
    core.control('c', { kind: 'prune', topic: TOPIC }, 11);
    expect(briefly(core.peerDown('a', 20))).toEqual(['graft b all']);
    expect(briefly(core.published(messageOf('x', 0), 30))).toEqual(['push b']);
  });
});

describe('on the wire', () => {
  /** First bytes of the GRAFT and PRUNE frames of origins' trees. */
  const OF_ORIGIN = [0x1b, 0x1c];

  it('frames that name an origin go to those alone whose hello says that they know them', async () => {
    await using mesh = await gossipNodes(4);
    const [old] = mesh.nodes;
    if (old) old.transport.features = [];
    const oldId = old?.transport.peerId;
    const kinds = { toOld: new Set<number>(), toOthers: new Set<number>() };
    mesh.hub.tamper = (from, to, frame, trafficClass) => {
      if (trafficClass === 'control' && from !== oldId)
        kinds[to === oldId ? 'toOld' : 'toOthers'].add(frame[0] ?? 0);
      return frame;
    };
    mesh.hub.connectAll();
    let received = 0;
    for (const { pubsub } of mesh.nodes)
      pubsub.subscribe(TOPIC, () => {
        received += 1;
      });
    for (let round = 1; round <= 5; round += 1) {
      for (const { pubsub } of mesh.nodes) await pubsub.publish(TOPIC, new Uint8Array(9));
      const isDelivered = () => (received === round * 16 ? true : undefined);
      await until('the round to be delivered', isDelivered, { budgetMs: 10_000, everyMs: 5 });
    }
    expect([...kinds.toOthers]).toContain(0x1c);
    expect([...kinds.toOld]).toContain(0x13);
    expect(OF_ORIGIN.filter((kind) => kinds.toOld.has(kind))).toEqual([]);
  });
});

describe('the number of trees', () => {
  it('is bounded: who finds no room shares the common tree, and is counted', () => {
    const core = settled(['x', 'y', 'z'], 2);
    expect(treesOf(core)).toBe(2);
    expect(core.losses()).toMatchObject({ treesRefused: 1, treesEvicted: 0 });
    const shared = messageOf('z');
    core.received('a', shared, 10);
    expect(briefly(core.duplicate('b', shared.id, 11))).toEqual(['prune b z']);
    expect(briefly(core.received('a', messageOf('w'), 12))).toEqual(['push c']);
    expect(briefly(core.received('a', messageOf('x'), 13))).toEqual(['push b c']);
  });

  it('lets a tree make room when it has carried nothing for a minute, the idlest first', () => {
    const core = settled(['x', 'y', 'z'], 2);
    core.received('a', messageOf('x'), 1_000);
    for (const nowMs of [59_000, 59_001, 59_002]) core.received('a', messageOf('z'), nowMs);
    expect(core.losses().treesEvicted).toBe(0);
    for (const nowMs of [60_000, 60_001]) core.received('a', messageOf('z'), nowMs);
    expect(core.losses().treesEvicted).toBe(1);
    const links = core.topics.get(TOPIC);
    expect(['x', 'y', 'z'].map((origin) => links?.treeOf(origin).name.origin)).toEqual(['x', undefined, 'z']);
  });

  it('falls when a tree or its topic has been idle for ten minutes, and leaves room', () => {
    const core = settled(['x', 'y'], 2);
    core.received('a', messageOf('x'), 300_000);
    core.tick(600_000);
    expect(treesOf(core)).toBe(1);
    core.tick(900_000);
    expect(core.topics.get(TOPIC)).toBeUndefined();
    for (const origin of ['v', 'w', 'w']) core.received('a', messageOf(origin), 900_010);
    expect(treesOf(core)).toBe(2);
    expect(core.losses()).toMatchObject({ treesRefused: 0, treesEvicted: 0 });
  });
});
