import { describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { gossipNodes } from './gossip-nodes.ts';
import { PlumTree } from './plumtree.ts';

const PAYLOAD = new Uint8Array(4_096);
const idOf = (at: number) => at.toString(16).padStart(64, '0');

describe('while one topic is flooded', () => {
  it('messages of another reach a slow peer before the flood that waits for it', {
    timeout: 60_000,
  }, async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const [us, them] = mesh.nodes;
    if (!us || !them) throw new RangeError('there are two nodes');
    let received = 0;
    them.pubsub.subscribe('quiet', () => {
      received += 1;
    });
    const held: (() => void)[] = []; // the path takes only what is released
    mesh.hub.tamper = (from, _to, frame, trafficClass) => {
      if (from !== us.transport.peerId || trafficClass !== 'gossip') return frame;
      const { promise, resolve } = Promise.withResolvers<void>();
      held.push(resolve);
      return { frame, until: promise };
    };
    const publish = (topic: string, count: number) =>
      Promise.all(Array.from({ length: count }, () => us.pubsub.publish(topic, PAYLOAD)));
    for (let batch = 0; batch < 6; batch += 1) await publish('flood', 500);
    expect(us.pubsub.diagnostics().pubsub_stages.outbound_budget_exhausted).toBeGreaterThan(0);
    await publish('quiet', 100);
    let released = 0;
    const release = () => {
      for (const resolve of held.splice(0, 10)) {
        resolve();
        released += 1;
      }
      return received === 100 || undefined;
    };
    await until('all of the quiet topic', release, { budgetMs: 45_000, everyMs: 1 });
    expect(released).toBeLessThan(600); // one of the flood for each, what the transport had, and releases ahead of the reader
  });

  /** Has `peer` announce `count` messages; gives the ids that it is then asked for. */
  function askedWhen(core: PlumTree, topic: string, first: number, count: number, nowMs = 0): string[] {
    const entries = Array.from({ length: count }, (_, at) => ({ id: idOf(first + at), hops: 1 }));
    const effects = core.control('peer', { kind: 'ihave', topics: [{ topic, entries }] }, nowMs);
    return effects.flatMap((effect) =>
      effect.type === 'control' && effect.frame.kind === 'iwant' ? effect.frame.ids : [],
    );
  }

  it('repair of another topic does not wait until the flood is repaired', () => {
    const core = new PlumTree();
    core.peerUp('peer', 'perOrigin', 0);
    expect(askedWhen(core, 'flood', 0, 2_000)).toHaveLength(128);
    expect(askedWhen(core, 'flood', 2_000, 2_000)).toEqual([]);
    const quiet = Array.from({ length: 10 }, (_, at) => idOf(4_000 + at));
    expect(askedWhen(core, 'quiet', 4_000, 10)).toEqual(quiet);
  });

  it('what is missing of another topic is not forgotten for the flood', () => {
    const core = new PlumTree();
    core.peerUp('peer', 'perOrigin', 0);
    expect(askedWhen(core, 'quiet', 0, 1)).toEqual([idOf(0)]);
    askedWhen(core, 'flood', 1, 8_000);
    const askedAgain = askedWhen(core, 'flood', 8_001, 8_000, 1_000);
    expect(core.losses().missingDropped).toBeGreaterThan(7_000);
    expect(askedAgain).toContain(idOf(0));
  });
});
