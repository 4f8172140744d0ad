import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { gossipDocumentSchema } from '../api/schema/gossip.ts';
import { type GossipNode, gossipNodes } from './gossip-nodes.ts';

const TOPIC = 'test/topic';
const bytes = (value: string) => new Uint8Array(Buffer.from(value));
const NEVER = new AbortController().signal;
const COOLING_TAKES = { timeout: 60_000 }; // five echoes of a second each, on a busy machine

async function untilTrue(what: string, probe: () => boolean, budgetMs = 40_000): Promise<void> {
  await until(what, () => (probe() ? true : undefined), { budgetMs, everyMs: 10 });
}

function nodeAt(nodes: readonly GossipNode[], at: number): GossipNode {
  const node = nodes[at];
  if (!node) throw new RangeError(`no node ${at}`);
  return node;
}

/** The document, checked: it fits its schema, and every suppressed pair has its row in both views of the scores. */
function stagesOf({ pubsub }: GossipNode) {
  const { pubsub_stages: stages } = gossipDocumentSchema.parse(pubsub.diagnostics());
  for (const { peer_id, topic, state, affected_topics_count } of stages.suppressed_peers) {
    const row = stages.peer_scores.find((score) => score.peer_id === peer_id && score.topic === topic);
    expect(row?.role).toBe(state === 'cooldown' ? 'cooled' : state);
    expect(row?.eager_eligible).toBe(false);
    expect(stages.peer_scores_by_topic[topic]?.[peer_id]?.suppression_state).toBe(state);
    expect(stages.suppressed_peers_by_topic[topic]).toContain(peer_id);
    expect(stages.admission_state_by_peer[peer_id]?.suppressed_topics_count).toBe(affected_topics_count);
  }
  return stages;
}

describe('a peer that takes nothing', () => {
  it(
    'cools on its topics alone, costs bounded room and hardly a log line, and no frame of its own lifts that',
    COOLING_TAKES,
    async () => {
      const lines: string[] = [];
      const log = pino({ level: 'info' }, { write: (line) => lines.push(line) });
      await using mesh = await gossipNodes(3, {}, log);
      const [us, healthy, stuck] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1), nodeAt(mesh.nodes, 2)];
      mesh.hub.connect(us.transport, healthy.transport);
      mesh.hub.connect(us.transport, stuck.transport);
      const stuckId = stuck.transport.peerId;
      let received = 0;
      healthy.pubsub.subscribe(TOPIC, () => {
        received += 1;
      });
      mesh.hub.tamper = (from, to, frame) =>
        to === stuckId && from === us.transport.peerId ? 'stall' : frame;
      for (let burst = 0; burst < 6; burst += 1) {
        const burstOf500 = Array.from({ length: 500 }, () => us.pubsub.publish(TOPIC, new Uint8Array(4_096)));
        await Promise.all(burstOf500);
      }
      expect(stagesOf(us).outbound_budget_exhausted).toBeGreaterThan(0);
      const depth = stagesOf(us).admission_state_by_peer[stuckId]?.priority_queue_depths.normal;
      expect(depth).toBeLessThanOrEqual(2_048);

      await untilTrue('it rests', () => stagesOf(us).suppressed_peers.length > 0);
      const [suppressed, ...others] = stagesOf(us).suppressed_peers;
      expect(others).toEqual([]);
      expect(suppressed).toMatchObject({
        peer_id: stuckId,
        topic: TOPIC,
        state: 'cooldown',
        cooldown_ms: 30_000,
      });
      expect(stagesOf(us).admission_state_by_peer[stuckId]?.state).toBe('cooled');
      await untilTrue('the healthy peer has everything', () => received === 3_000);

      for (const frame of [Uint8Array.of(0x19), Uint8Array.of(0x1a, 0, 0, 0, 200)])
        await stuck.transport.send(us.transport.peerId, 'control', frame, NEVER);
      await stuck.pubsub.publish(TOPIC, bytes('from the resting peer'));
      let heard = false;
      us.pubsub.subscribe(TOPIC, () => {
        heard = true;
      });
      await stuck.pubsub.publish(TOPIC, bytes('again'));
      await untilTrue('its messages are taken', () => heard);
      expect(stagesOf(us).suppressed_peers).toHaveLength(1);

      const refused = stagesOf(us).admission.dropped_bulk_peer_suspect;
      await us.pubsub.publish('meshproof.bulk.x', bytes('bulk'));
      expect(stagesOf(us).admission.dropped_bulk_peer_suspect).toBe(refused + 1);
      expect(lines.length).toBeLessThanOrEqual(4); // two kinds of line, one of each per minute; the forged frame's strike
    },
  );

  it('is forgotten with its link', COOLING_TAKES, async () => {
    await using mesh = await gossipNodes(3);
    mesh.hub.connectAll();
    const [us, stuck] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 2)];
    mesh.hub.tamper = (_from, to, frame) => (to === stuck.transport.peerId ? 'stall' : frame);
    for (const topic of ['t/1', 't/2']) await us.pubsub.publish(topic, bytes('x'));
    await untilTrue('it rests on both topics', () => stagesOf(us).suppressed_peers.length === 2);
    expect(stagesOf(us).suppressed_peers[0]?.affected_topics_count).toBe(2);
    const before = stagesOf(us).peer_scores.find(({ peer_id }) => peer_id === stuck.transport.peerId);
    expect(before).toMatchObject({ role: 'cooled', cooling_events: 1 });
    mesh.hub.disconnect(us.transport, stuck.transport);
    expect(stagesOf(us).suppressed_peers).toEqual([]);
    mesh.hub.connect(us.transport, stuck.transport);
    const after = stagesOf(us).peer_scores.find(({ peer_id }) => peer_id === stuck.transport.peerId);
    expect(after).toMatchObject({ cooling_events: 1 }); // what happened stays counted
    expect(after?.role).not.toBe('cooled');
  });
});

describe('lanes', () => {
  it('carries 50 critical messages at once past a full queue, on the control stream, without a hard error', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const [us, them] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1)];
    let received = 0;
    them.pubsub.subscribe('meshproof.control.v1', () => {
      received += 1;
    });
    mesh.hub.tamper = (_from, _to, frame, trafficClass) => (trafficClass === 'gossip' ? 'stall' : frame);
    for (let at = 0; at < 10; at += 1) await us.pubsub.publish(TOPIC, new Uint8Array(1_000_000));
    expect(stagesOf(us).outbound_budget_exhausted).toBeGreaterThan(0);
    await Promise.all(
      Array.from({ length: 50 }, (_, at) => us.pubsub.publish('meshproof.control.v1', bytes(`${at}`))),
    );
    await untilTrue('all are there', () => received === 50);
    expect(stagesOf(us).admission).toMatchObject({
      admitted_critical: 50,
      dropped_critical_hard_error: 0,
      dropped_critical_cooling: 0,
      dropped_critical_no_target: 0,
    });
  });

  it('tells a peer of what its lane had no room for, so that nothing is lost', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const [us, them] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1)];
    const topic = 'meshproof.bulk.news';
    let received = 0;
    them.pubsub.subscribe(topic, () => {
      received += 1;
    });
    mesh.hub.tamper = (_from, _to, frame, trafficClass) => (trafficClass === 'gossip' ? 'stall' : frame);
    await Promise.all(Array.from({ length: 200 }, (_, at) => us.pubsub.publish(topic, bytes(`${at}`))));
    const { admitted_bulk, dropped_bulk_backpressure } = stagesOf(us).admission;
    expect(admitted_bulk).toBe(64);
    expect(dropped_bulk_backpressure).toBeGreaterThanOrEqual(200 - 64); // more when they are asked for already
    mesh.hub.tamper = (_from, _to, frame) => frame;
    await untilTrue('all are there', () => received === 200);
  });
});

describe('anti-entropy per peer', () => {
  it('counts rounds and what they repaired, by peer, and keeps the counts across reconnects', async () => {
    await using mesh = await gossipNodes(3);
    const [a, b, c] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1), nodeAt(mesh.nodes, 2)];
    mesh.hub.connect(a.transport, c.transport);
    for (let at = 0; at < 7; at += 1) await a.pubsub.publish(TOPIC, bytes(`a ${at}`));
    for (let at = 0; at < 5; at += 1) await b.pubsub.publish(TOPIC, bytes(`b ${at}`));
    mesh.hub.connect(a.transport, b.transport);
    const [aId, bId] = [a.transport.peerId, b.transport.peerId];
    const repairs = (node: GossipNode, peer: string) =>
      stagesOf(node).anti_entropy_by_peer[peer]?.repaired_total;
    await untilTrue('both sides are whole', () => repairs(a, bId) === 5 && repairs(b, aId) === 7);
    expect(stagesOf(a).anti_entropy_by_peer[c.transport.peerId]?.repaired_total ?? 0).toBe(0);
    const before = stagesOf(a).anti_entropy_by_peer[bId];
    expect(before?.last_round_unix_ms).toBeGreaterThan(Date.now() - 60_000);
    mesh.hub.disconnect(a.transport, b.transport);
    mesh.hub.connect(a.transport, b.transport);
    const after = stagesOf(a).anti_entropy_by_peer[bId];
    expect(after?.repaired_total).toBe(5);
    expect(after?.rounds_total).toBeGreaterThan(before?.rounds_total ?? 0);
  });
});

describe('the diagnostics of a changing mesh', () => {
  it('never show an empty score table while links are up', async () => {
    await using mesh = await gossipNodes(4);
    mesh.hub.connectAll();
    const [us, other] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 3)];
    await us.pubsub.publish(TOPIC, bytes('first'));
    for (let at = 0; at < 200; at += 1) {
      if (at % 2 === 0) mesh.hub.disconnect(us.transport, other.transport);
      else mesh.hub.connect(us.transport, other.transport);
      if (at % 5 === 0) await us.pubsub.publish(TOPIC, bytes(`${at}`));
      expect(stagesOf(us).peer_scores).toHaveLength(at % 2 === 0 ? 2 : 3);
    }
  });
});
