import { describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { gossipDocumentSchema } from '../api/schema/gossip.ts';
import type { GossipNode } from './gossip-nodes.ts';
import { gossipNodes } from './gossip-nodes.ts';
import type { GossipMessage } from './subscriptions.ts';

const TOPIC = 'test/topic';
const text = (message: GossipMessage) => Buffer.from(message.payload).toString();
const bytes = (value: string) => new Uint8Array(Buffer.from(value));

function collect(node: GossipNode | undefined, topic = TOPIC): GossipMessage[] {
  const got: GossipMessage[] = [];
  node?.pubsub.subscribe(topic, (message) => got.push(message));
  return got;
}

async function untilTrue(what: string, probe: () => boolean): Promise<void> {
  await until(what, () => (probe() ? true : undefined), { budgetMs: 8_000, everyMs: 5 });
}

function nodeAt(nodes: readonly GossipNode[], at: number): GossipNode {
  const node = nodes[at];
  if (!node) throw new RangeError(`no node ${at}`);
  return node;
}

describe('publish and subscribe', () => {
  it('delivers to every subscriber of every node once, the own ones included, with origin and hops', async () => {
    await using mesh = await gossipNodes(4);
    mesh.hub.connectAll();
    const inboxes = mesh.nodes.map((node) => collect(node));
    const again = collect(mesh.nodes[1]);
    const first = nodeAt(mesh.nodes, 0);
    const { messageId } = await first.pubsub.publish(TOPIC, bytes('hello'));
    expect(inboxes[0]?.map(text)).toEqual(['hello']);
    await untilTrue('every node has it', () => inboxes.every((inbox) => inbox.length === 1));
    for (const [at, inbox] of inboxes.entries()) {
      expect(inbox[0]).toMatchObject({ messageId, origin: first.agentId, seq: 1, topic: TOPIC });
      expect(inbox[0]?.hops).toBe(at === 0 ? 0 : 1);
    }
    expect(again.map(text)).toEqual(['hello']);
  });

  it('delivers the same bytes published twice as two messages', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const inbox = collect(mesh.nodes[1]);
    const ids = new Set<string>();
    for (let at = 0; at < 2; at += 1) {
      ids.add((await nodeAt(mesh.nodes, 0).pubsub.publish(TOPIC, bytes('same'))).messageId);
    }
    await untilTrue('both arrive', () => inbox.length === 2);
    expect(ids.size).toBe(2);
    expect(inbox.map(text)).toEqual(['same', 'same']);
  });

  it('delivers a burst of publishes completely on a full mesh and verifies far fewer signatures than messages', async () => {
    await using mesh = await gossipNodes(4);
    mesh.hub.connectAll();
    const inboxes = mesh.nodes.map((node) => collect(node));
    const count = 300;
    await Promise.all(
      Array.from({ length: count }, (_, at) =>
        nodeAt(mesh.nodes, at % 4).pubsub.publish(TOPIC, bytes(`message ${at}`)),
      ),
    );
    await untilTrue('everything everywhere', () => inboxes.every((inbox) => inbox.length >= count));
    for (const inbox of inboxes) expect(new Set(inbox.map(text)).size).toBe(count);
    expect(mesh.verifications.total).toBeLessThan(count);
    for (const { pubsub } of mesh.nodes) expect(pubsub.diagnostics().stats.decode_to_delivery_drops).toBe(0);
  });

  it('keeps topics that start with local: off the wire', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const inboxes = mesh.nodes.map((node) => collect(node, 'local:inside'));
    await nodeAt(mesh.nodes, 0).pubsub.publish('local:inside', bytes('here'));
    expect(inboxes[0]?.map(text)).toEqual(['here']);
    await new Promise(setImmediate);
    expect(mesh.hub.framesSent).toBe(0);
    expect(inboxes[1]).toEqual([]);
  });

  it('stops delivery the moment a subscription is cancelled and survives a subscriber that throws', async () => {
    await using mesh = await gossipNodes(1);
    const { pubsub } = nodeAt(mesh.nodes, 0);
    let calls = 0;
    pubsub.subscribe(TOPIC, () => {
      throw new Error('subscriber trouble');
    });
    const subscription = pubsub.subscribe(TOPIC, () => {
      calls += 1;
    });
    expect(subscription.id).toMatch(/^[0-9a-f]{16}$/);
    await pubsub.publish(TOPIC, bytes('one'));
    subscription.cancel();
    subscription.cancel();
    await pubsub.publish(TOPIC, bytes('two'));
    expect(calls).toBe(1);
    expect(pubsub.diagnostics().stats).toMatchObject({
      delivered_to_subscriber: 1,
      decode_to_delivery_drops: 2,
    });
  });

  it('succeeds without a link and says so in its counters', async () => {
    await using mesh = await gossipNodes(1);
    const { pubsub } = nodeAt(mesh.nodes, 0);
    await pubsub.publish(TOPIC, bytes('alone'));
    const { pubsub_stages: stages } = pubsub.diagnostics();
    expect(stages).toMatchObject({
      zero_fanout_publishes: 1,
      zero_fanout_publishes_by_topic: { [TOPIC]: 1 },
    });
  });

  it('refuses bad topics, oversized payloads and a full queue by code, and counts them', async () => {
    await using mesh = await gossipNodes(1, { maxPayloadBytes: 10, publishQueue: 2 });
    const { pubsub } = nodeAt(mesh.nodes, 0);
    await expect(pubsub.publish('', bytes('x'))).rejects.toMatchObject({ code: 'TOPIC_INVALID' });
    await expect(pubsub.publish('t'.repeat(257), bytes('x'))).rejects.toMatchObject({
      code: 'TOPIC_INVALID',
    });
    await expect(pubsub.publish(TOPIC, new Uint8Array(11))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, () => pubsub.publish(TOPIC, bytes('x'))),
    );
    const codes = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    expect(codes).toEqual(['PUBLISH_QUEUE_FULL', 'PUBLISH_QUEUE_FULL', 'PUBLISH_QUEUE_FULL']);
    expect(pubsub.diagnostics().stats).toMatchObject({ publish_total: 3, publish_failed: 6 });
  });
});

describe('dissemination', () => {
  it('reaches nodes without a link to the origin, which fetch its public key from the forwarder', async () => {
    await using mesh = await gossipNodes(4);
    for (let at = 0; at < 3; at += 1) {
      mesh.hub.connect(nodeAt(mesh.nodes, at).transport, nodeAt(mesh.nodes, at + 1).transport);
    }
    const inbox = collect(mesh.nodes[3]);
    await nodeAt(mesh.nodes, 0).pubsub.publish(TOPIC, bytes('far'));
    await untilTrue('the far end has it', () => inbox.length === 1);
    expect(inbox[0]).toMatchObject({ hops: 3, origin: nodeAt(mesh.nodes, 0).agentId });
  });

  it('gives a node that joins what was published just before', async () => {
    await using mesh = await gossipNodes(3);
    const [a, b, late] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1), nodeAt(mesh.nodes, 2)];
    mesh.hub.connect(a.transport, b.transport);
    const inbox = collect(late);
    for (let at = 0; at < 100; at += 1) await a.pubsub.publish(TOPIC, bytes(`${at}`));
    mesh.hub.connect(b.transport, late.transport);
    await untilTrue('the late node has all', () => inbox.length === 100);
    expect(new Set(inbox.map(text)).size).toBe(100);
  });

  it('does not let a stalled peer hold up the others, and counts its timeouts', async () => {
    await using mesh = await gossipNodes(3);
    mesh.hub.connectAll();
    const stalled = nodeAt(mesh.nodes, 2).transport.peerId;
    mesh.hub.tamper = (_from, to, frame) => (to === stalled ? 'stall' : frame);
    const inbox = collect(mesh.nodes[1]);
    const { pubsub } = nodeAt(mesh.nodes, 0);
    await pubsub.publish(TOPIC, bytes('quick'));
    await untilTrue('the healthy peer has it', () => inbox.length === 1);
    await untilTrue(
      'the timeout is counted',
      () => pubsub.diagnostics().pubsub_stages.republish_per_peer_timeout > 0,
    );
    const row = pubsub.diagnostics().pubsub_stages.peer_scores.find(({ peer_id }) => peer_id === stalled);
    expect(row?.outbound_send_timeouts).toBeGreaterThan(0);
    expect(row?.send_health).toBeLessThan(0.6);
  });

  it('bounds what waits for a stalled peer', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    mesh.hub.tamper = () => 'stall';
    const { pubsub } = nodeAt(mesh.nodes, 0);
    for (let at = 0; at < 12; at += 1) await pubsub.publish(TOPIC, new Uint8Array(1_000_000));
    expect(pubsub.diagnostics().pubsub_stages.outbound_budget_exhausted).toBe(4);
  });
});

describe('hostile peers', () => {
  it('drops a frame with a changed payload, strikes its sender, and still takes the true message', async () => {
    await using mesh = await gossipNodes(3);
    mesh.hub.connectAll();
    const [origin, relay, target] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1), nodeAt(mesh.nodes, 2)];
    const inbox = collect(target);
    mesh.hub.tamper = (from, _to, frame, trafficClass) => {
      if (from !== relay.transport.peerId || trafficClass !== 'gossip') return frame;
      const changed = new Uint8Array(frame);
      changed[120] = (changed[120] ?? 0) ^ 0xff;
      return changed;
    };
    for (let at = 0; at < 5; at += 1) await origin.pubsub.publish(TOPIC, new Uint8Array(512).fill(at));
    await untilTrue('all true messages', () => inbox.length === 5);
    expect(inbox.map(({ payload }) => payload[0])).toEqual(inbox.map(({ payload }) => payload[511]));
  });

  it('closes the link of a peer whose signatures do not verify, after three', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const [liar, target] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1)];
    const inbox = collect(target);
    mesh.hub.tamper = (_from, _to, frame) => {
      const forged = new Uint8Array(frame);
      forged[forged.length - 1000] = (forged[forged.length - 1000] ?? 0) ^ 1; // inside the signature
      return forged;
    };
    for (let at = 0; at < 3; at += 1) await liar.pubsub.publish(TOPIC, bytes(`lie ${at}`));
    await untilTrue('the link is closed', () => mesh.hub.closed.length === 1);
    expect(mesh.hub.closed[0]).toMatchObject({ by: target.transport.peerId, peer: liar.transport.peerId });
    expect(inbox).toEqual([]);
    expect(target.pubsub.diagnostics().stats).toMatchObject({
      incoming_decode_failed: 3,
      delivered_to_subscriber: 0,
    });
  });

  it('takes the true copy of a message although a forged one with the same id came first', async () => {
    await using mesh = await gossipNodes(3);
    const [origin, relay, target] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1), nodeAt(mesh.nodes, 2)];
    mesh.hub.connect(origin.transport, target.transport);
    mesh.hub.connect(relay.transport, target.transport);
    const inbox = collect(target);
    mesh.hub.tamper = (from, to, frame, trafficClass) => {
      if (from === origin.transport.peerId && trafficClass === 'gossip') {
        const forged = new Uint8Array(frame);
        forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
        void relay.transport.send(to, 'gossip', forged, new AbortController().signal);
      }
      return frame;
    };
    await origin.pubsub.publish(TOPIC, bytes('true'));
    await untilTrue('the true copy is taken', () => inbox.length === 1);
    expect(target.pubsub.diagnostics().stats.incoming_decode_failed).toBe(1);
  });

  it('survives frames of random bytes on both classes', async () => {
    await using mesh = await gossipNodes(2);
    mesh.hub.connectAll();
    const [sender, target] = [nodeAt(mesh.nodes, 0), nodeAt(mesh.nodes, 1)];
    const never = new AbortController().signal;
    for (let kind = 0; kind < 64; kind += 1) {
      const frame = Uint8Array.of(kind, 1, 2, 3, 4, 5, 6, 7);
      for (const trafficClass of ['gossip', 'control'] as const) {
        await sender.transport.send(target.transport.peerId, trafficClass, frame, never).catch(() => {});
      }
      await new Promise(setImmediate); // the frames arrive, and may cost the link
      mesh.hub.connect(sender.transport, target.transport);
    }
    await untilTrue(
      'the frames are counted',
      () => target.pubsub.diagnostics().stats.incoming_decode_failed > 60,
    );
  });
});

describe('diagnostics', () => {
  it('fits its schema before any peer and after traffic, with a row for every peer and topic', async () => {
    await using mesh = await gossipNodes(3);
    const { pubsub } = nodeAt(mesh.nodes, 0);
    gossipDocumentSchema.parse(pubsub.diagnostics());
    mesh.hub.connectAll();
    const inbox = collect(mesh.nodes[2]);
    for (let at = 0; at < 20; at += 1)
      await nodeAt(mesh.nodes, at % 3).pubsub.publish(`t/${at % 2}`, bytes(`${at}`));
    await nodeAt(mesh.nodes, 1).pubsub.publish(TOPIC, bytes('last'));
    await untilTrue('traffic has flowed', () => inbox.length === 1);
    for (const node of mesh.nodes) {
      const document = gossipDocumentSchema.parse(node.pubsub.diagnostics());
      expect(document.pubsub_stages.peer_scores).toHaveLength(2 * 3);
      const { pubsub: handled } = document.dispatcher;
      const { pubsub: pump } = document.recv_pump;
      expect(handled.received).toBe(handled.completed);
      expect(pump.produced_total).toBe(pump.enqueued_total);
      expect(pump.enqueued_total).toBe(pump.dequeued_total + pump.latest_depth);
    }
  });
});
