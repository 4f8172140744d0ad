import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import type { ControlFrame } from './control-frame.ts';
import type { GossipEffect } from './gossip-effect.ts';
import { PlumTree } from './plumtree.ts';

const TOPIC = 't';
const idOf = (at: number) => sha256Hex(`${at}`);
const message = (at: number, hops = 1, bornAtMs = 0) => ({
  id: idOf(at),
  topic: TOPIC,
  origin: 'o',
  hops,
  bornAtMs,
  frame: new Uint8Array(9),
});
const ihave = (hops: number, ...ats: number[]): ControlFrame => ({
  kind: 'ihave',
  topics: [{ topic: TOPIC, entries: ats.map((at) => ({ id: idOf(at), hops })) }],
});

function coreWith(...peers: string[]): PlumTree {
  const core = new PlumTree();
  for (const peer of peers) core.peerUp(peer, 'perOrigin', 0);
  return core;
}

/** `kind peer` of every control effect, and `push peers`; echoes have tests of their own. */
function briefly(effects: readonly GossipEffect[]): string[] {
  const isEcho = (effect: GossipEffect) => effect.type === 'control' && effect.frame.kind === 'echo';
  return effects
    .filter((effect) => !isEcho(effect))
    .map((effect) => {
      if (effect.type === 'push') return `push ${effect.peers.join(' ')}`;
      return effect.type === 'reply' ? `reply ${effect.peer}` : `${effect.frame.kind} ${effect.peer}`;
    });
}

describe('the tree', () => {
  it('starts with every link eager and passes a message on to all but its sender', () => {
    const core = coreWith('a', 'b', 'c');
    expect(briefly(core.received('a', message(1), 0))).toEqual(['push b c']);
    expect(briefly(core.published(message(2, 0), 1))).toEqual(['push a b c']);
  });

  it('prunes the link of a duplicate once, and tells it of later messages instead, in one batch', () => {
    const core = coreWith('a', 'b', 'c');
    core.received('a', message(1), 0);
    expect(briefly(core.duplicate('b', idOf(1), 1))).toEqual(['prune b']);
    expect(briefly(core.duplicate('b', idOf(1), 2))).toEqual([]);
    expect(briefly(core.received('a', message(2), 3))).toEqual(['push c']);
    expect(briefly(core.received('a', message(3), 3))).toEqual(['push c']);
    expect(core.tick(52)).toEqual([]);
    expect(core.tick(53)).toEqual([{ type: 'control', peer: 'b', frame: ihave(1, 2, 3) }]);
  });

  it('tells what waits at once when a link goes down', () => {
    const core = coreWith('a', 'b', 'c');
    core.received('a', message(0), 0);
    core.duplicate('b', idOf(0), 0); // b is lazy now
    for (let nowMs = 10; nowMs < 4_000; nowMs += 10) {
      core.received('a', message(nowMs), nowMs);
      core.tick(nowMs);
    }
    const dueMs = core.nextDeadlineMs() ?? Number.NaN;
    core.received('a', message(4_000), 4_000);
    expect(briefly(core.tick(dueMs))).toContain('ihave b');
    const downAtMs = dueMs + 60;
    core.received('a', message(4_001), dueMs);
    expect(core.nextDeadlineMs()).toBeGreaterThan(downAtMs + 60);
    core.peerDown('c', downAtMs);
    expect(briefly(core.tick(downAtMs))).toEqual(['ihave b']);
  });

  it('does not announce a message to a peer that has shown it', () => {
    const core = coreWith('a', 'b');
    core.received('a', message(1), 0);
    core.duplicate('b', idOf(1), 1);
    core.received('a', message(2), 2);
    core.control('b', ihave(1, 2), 3);
    expect(briefly(core.tick(60))).toEqual([]);
  });

  it('does not prune a link because of a first copy that came over a pruned one', () => {
    const core = coreWith('a', 'b', 'c');
    core.received('a', message(1), 0);
    core.duplicate('b', idOf(1), 1); // b is lazy now
    core.received('b', message(2), 2); // was on its way
    expect(briefly(core.duplicate('a', idOf(2), 3))).toEqual([]);
    expect(core.topics.get(TOPIC)?.role('a')).toBe('eager');
  });

  it('takes a link back when the last eager one is pruned or goes down', () => {
    const core = coreWith('a', 'b');
    core.received('a', message(1), 0);
    core.duplicate('b', idOf(1), 1);
    expect(briefly(core.peerDown('a', 2))).toEqual(['graft b']);
    expect(core.topics.get(TOPIC)?.role('b')).toBe('eager');
  });

  it('moves to a path that is three links shorter, and not for two', () => {
    const core = coreWith('far', 'near');
    core.received('far', message(1, 6), 0);
    core.duplicate('near', idOf(1), 1);
    core.received('far', message(2, 6), 2);
    expect(briefly(core.control('near', ihave(3, 2), 3))).toEqual([]);
    expect(briefly(core.control('near', ihave(2, 2), 4))).toEqual(['graft near', 'prune far']);
  });

  it('sends no second GRAFT over a link before its back-off is over', () => {
    const core = coreWith('a', 'b', 'c');
    core.received('a', message(1), 0);
    const links = core.topics.get(TOPIC)?.treeOf('o');
    const grafted: number[] = [];
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
      links?.prune('b', nowMs);
      if (links?.graft('b', nowMs)) grafted.push(nowMs);
    }
    expect(grafted).toEqual([0, 5_000, 15_000, 35_000]);
  });
});

describe('slow links', () => {
  const onTopic = new Set([TOPIC]);
  const stall = (core: PlumTree, peer: string, times = 5) =>
    Array.from({ length: times }, () => core.health.stalled(peer, onTopic, 10)).flat();

  it('are pruned, refused when they graft, and passed over when a link is taken back', () => {
    const core = coreWith('a', 'b', 'c');
    core.published(message(1, 0), 0);
    expect(briefly(stall(core, 'a'))).toEqual(['prune a']);
    expect(briefly(core.control('a', { kind: 'graft', topic: TOPIC }, 20))).toEqual(['prune a']);
    expect(briefly(core.published(message(2, 0), 30))).toEqual(['push b c']);
    core.control('b', { kind: 'prune', topic: TOPIC }, 40);
    expect(briefly(core.control('c', { kind: 'prune', topic: TOPIC }, 50))).toEqual(['graft b']);
    expect(briefly(core.received('a', message(3), 9_000)).filter((what) => what.includes('graft'))).toEqual(
      [],
    );
    expect(core.topics.get(TOPIC)?.role('a')).toBe('lazy');
  });

  it('are told of messages all the same', () => {
    const core = coreWith('a', 'b');
    core.published(message(1, 0), 0);
    stall(core, 'a');
    core.published(message(2, 0), 20);
    expect(briefly(core.tick(200))).toEqual(['ihave a']);
  });

  it('are never the last of a topic, and one is taken back when the last is gone', () => {
    const core = coreWith('a', 'b', 'c');
    core.published(message(1, 0), 0);
    for (const peer of ['a', 'b', 'c']) stall(core, peer);
    expect(core.mended()).toMatchObject({ coolings: 2, sparedAsLast: 1 });
    expect(briefly(core.peerDown('c', 20))).toEqual(['graft a']);
    expect(briefly(core.published(message(2, 0), 30))).toEqual(['push a']);
  });

  it('come back as lazy ones after a probe that got through', () => {
    const core = coreWith('a', 'b');
    /** Lets every echo be answered until `untilMs` or until a is free. */
    const runUntil = (fromMs: number, untilMs: number) => {
      let nowMs = fromMs;
      for (; nowMs < untilMs && (nowMs < 30_020 || core.cooling.isSuppressed('a', TOPIC)); nowMs += 10) {
        for (const effect of core.tick(nowMs)) {
          if (effect.type === 'control' && effect.frame.kind === 'echo')
            core.control(effect.peer, { kind: 'echoed', number: effect.frame.number }, nowMs + 5);
        }
      }
      return nowMs;
    };
    core.published(message(1, 0), 0);
    stall(core, 'a');
    runUntil(20, 30_020);
    expect(briefly(core.published(message(2, 0), 30_020))).toEqual(['push b a']);
    expect(briefly(core.published(message(3, 0), 30_030))).toEqual(['push b']);
    const nowMs = runUntil(30_030, 40_000);
    expect(nowMs).toBeLessThan(31_000);
    expect(core.topics.get(TOPIC)?.role('a')).toBe('lazy');
    expect(core.health.tallies.of('a', TOPIC)).toMatchObject({ recoveryProbes: 1, recoverySuccesses: 1 });
    expect(briefly(core.control('a', { kind: 'graft', topic: TOPIC }, nowMs))).toEqual([]);
  });
});

describe('repair', () => {
  it('asks the first announcer at once, the second after 80 ms, and grafts it', () => {
    const core = coreWith('a', 'b');
    core.received('a', message(0), 0);
    core.duplicate('b', idOf(0), 0);
    const asked = core.control('b', ihave(1, 1), 1_000);
    expect(asked).toEqual([{ type: 'control', peer: 'b', frame: { kind: 'iwant', ids: [idOf(1)] } }]);
    core.control('a', ihave(1, 1), 1_010);
    expect(briefly(core.tick(1_079))).toEqual([]);
    expect(briefly(core.tick(1_080))).toEqual(['iwant a']);
    core.received('a', message(1), 1_100);
    expect(briefly(core.tick(2_000))).toEqual([]);
  });

  it('asks nobody more than three times for one message, and then lets it be', () => {
    const core = coreWith('a');
    let asks = 0;
    core.control('a', ihave(1, 1), 0).forEach(() => {
      asks += 1;
    });
    for (let nowMs = 0; nowMs < 20_000; nowMs += 10)
      asks += briefly(core.tick(nowMs)).filter((e) => e === 'iwant a').length;
    expect(asks).toBe(3);
    expect(core.losses().missingGaveUp).toBe(1);
  });

  it('answers a question from its cache three times per peer', () => {
    const core = coreWith('a');
    core.published(message(1, 0), 0);
    const answers = Array.from({ length: 4 }, () =>
      briefly(core.control('a', { kind: 'iwant', ids: [idOf(1)] }, 1)),
    );
    expect(answers.flat()).toEqual(['reply a', 'reply a', 'reply a']);
  });

  it('refuses what one peer asks for beyond its allowance, and counts it', () => {
    const core = coreWith('a', 'b');
    const flood = ihave(1, ...Array.from({ length: 1_000 }, (_, at) => at));
    for (let at = 0; at < 20; at += 1) core.control('a', flood, 0);
    expect(core.losses().controlRefused).toBe(4);
    expect(briefly(core.control('b', ihave(1, 5_000), 0))).toEqual(['iwant b']);
  });
});

describe('anti-entropy', () => {
  /** Lets two cores talk until neither has anything to say; gives the kinds of frames by sender. */
  function converse(a: PlumTree, b: PlumTree, opening: readonly GossipEffect[], nowMs: number): string[] {
    const said: string[] = [];
    let turn: readonly GossipEffect[] = opening;
    for (let from = 'a'; turn.length > 0; from = from === 'a' ? 'b' : 'a') {
      const [hearer, replies] = [from === 'a' ? b : a, [] as GossipEffect[]];
      for (const effect of turn) {
        if (effect.type === 'push') continue;
        said.push(`${from} ${effect.type === 'control' ? effect.frame.kind : effect.type}`);
        if (effect.type === 'control') replies.push(...hearer.control(from, effect.frame, nowMs));
        else
          replies.push(...hearer.received(from, { ...effect.message, hops: effect.message.hops + 1 }, nowMs));
      }
      turn = replies;
    }
    return said;
  }

  it.each([3, 500])(
    'brings %i messages on each side to the other, with bytes for the difference only',
    (count) => {
      const [a, b] = [new PlumTree(), new PlumTree()];
      for (let at = 0; at < count; at += 1) a.published(message(at, 0), 0);
      for (let at = 0; at < count; at += 1) b.published(message(10_000 + at, 0), 0);
      b.peerUp('a', 'perOrigin', 0);
      const said = converse(a, b, a.peerUp('b', 'perOrigin', 0), 10);
      for (let rounds = 0; rounds < 60; rounds += 1) {
        const nowMs = 100 + rounds * 100;
        said.push(...converse(a, b, a.tick(nowMs), nowMs));
        const reverse = b.tick(nowMs);
        for (const effect of reverse) {
          if (effect.type === 'control')
            said.push(...converse(a, b, a.control('b', effect.frame, nowMs), nowMs));
        }
      }
      expect(said.slice(0, 2)).toEqual(['a summary', count < 32 ? 'b digest' : 'b buckets']);
      for (let at = 0; at < count; at += 1) {
        expect(b.has(idOf(at))).toBe(true);
        expect(a.has(idOf(10_000 + at))).toBe(true);
      }
    },
  );

  it('counts as repaired by a peer only what came because a digest of that peer told of it', () => {
    const core = coreWith('a', 'b');
    core.control('a', ihave(1, 1), 0);
    core.received('a', message(1), 10);
    const entries = [{ id: idOf(2), hops: 1 }];
    core.control('a', { kind: 'digest', topic: TOPIC, mask: '0000000000000000', entries }, 20);
    core.received('a', message(2), 30);
    core.received('b', message(3), 40);
    expect([...core.reconciliation.byPeer.entries()].map(([peer, { repaired }]) => [peer, repaired])).toEqual(
      [['a', 1]],
    );
  });

  it('costs one small frame when nothing differs, and none when there is nothing', () => {
    const [a, b] = [coreWith('b'), coreWith('a')];
    expect(a.tick(100_000)).toEqual([]);
    for (let at = 0; at < 1_000; at += 1) {
      a.published(message(at, 0, 0), 0);
      b.received('a', message(at, 1, 0), 1);
    }
    const round = a
      .tick(30_000)
      .filter((effect) => effect.type === 'control' && effect.frame.kind === 'summary');
    expect(briefly(round)).toEqual(['summary b']);
    expect(converse(a, b, round, 30_001)).toEqual(['a summary']);
  });
});
