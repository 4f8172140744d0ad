import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { until } from '../kit/deadline.ts';
import { formatAddress } from './api/address.ts';
import { DOCUMENT_BODIES, DOCUMENT_PATHS, type NodeDocumentName } from './api/schema/documents.ts';
import { type DirectEvent, NodeClient, type TopicEvent } from './client.ts';
import { parseConfig } from './config.ts';
import { MeshNode, type RunningNode } from './node.ts';
import { ORIGIN_TREES } from './pubsub/control-frame.ts';
import { TransportRig } from './transport/transport-rig.ts';

interface Started extends RunningNode {
  readonly node: MeshNode;
  readonly client: NodeClient;
  readonly token: string;
}
const DOCUMENTS = ['gossip', 'ack', 'connectivity', 'dm', 'transport', 'runtime', 'health'] as const;
let root: string;
const all: Started[] = [];

async function startNode(name: string, knownPeers: readonly string[]): Promise<Started> {
  const text = `data_dir = "${name}"\nbind_address = "127.0.0.1:0"\napi_address = "127.0.0.1:0"\nknown_peers = ${JSON.stringify(knownPeers)}`;
  const node = new MeshNode(parseConfig(text, join(root, 'node.toml')), {
    log: pino({ level: 'silent' }),
    onShutdownRequested: () => {},
    unhandledErrors: () => 0,
  });
  const running = await node.start();
  const token = await readFile(join(root, name, 'api-token'), 'utf8');
  const client = new NodeClient({ baseUrl: `http://${formatAddress(running.apiAddress)}`, token });
  const started = { ...running, node, client, token };
  all.push(started);
  return started;
}

type DocumentBody<Name extends NodeDocumentName> = z.infer<(typeof DOCUMENT_BODIES)[Name]>;
const SCHEMAS: { readonly [Name in NodeDocumentName]: z.ZodType<DocumentBody<Name>> } = DOCUMENT_BODIES;

/** Read past the tolerant client: the exact bytes against the strict schema. */
async function readStrictly<Name extends NodeDocumentName>(
  of: Started,
  name: Name,
): Promise<DocumentBody<Name>> {
  const url = `http://${formatAddress(of.apiAddress)}${DOCUMENT_PATHS[name]}`;
  const response = await fetch(url, { headers: { authorization: `Bearer ${of.token}` } });
  return SCHEMAS[name].parse(await response.json());
}

function collect<T>(stream: AsyncIterable<T>): T[] {
  const seen: T[] = [];
  void (async () => {
    for await (const event of stream) seen.push(event);
  })().catch(() => {}); // the stream ends with its client
  return seen;
}
const first = <T>(list: readonly T[]) =>
  until('the first event', () => list[0], { budgetMs: 10_000, everyMs: 10 });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshproof-node-'));
});
afterAll(async () => {
  for (const { client, node } of all) {
    await client.close();
    await node.stop();
  }
  await rm(root, { recursive: true, force: true });
});

describe('a node by itself', () => {
  let alone: Started;
  beforeAll(async () => {
    alone = await startNode('alone', []);
  });

  it.each(DOCUMENTS)('serves the whole %s document before it has met anyone', async (name) => {
    expect(await readStrictly(alone, name)).toMatchObject({ ok: true, boot_id: alone.bootId });
  });

  it('says in its hello that it keeps a tree for each origin', async () => {
    await using rig = new TransportRig();
    const { networkId } = parseConfig('data_dir = "alone"', join(root, 'node.toml'));
    const { transport } = await rig.node({ networkId });
    const link = await transport.dial(alone.udpAddress, { signal: AbortSignal.timeout(10_000) });
    expect(link.features).toEqual([ORIGIN_TREES]);
    transport.closeLink(link.peerId, 'PeerShutdown');
  });

  it('delivers what it publishes to its own subscribers, identical bytes once per publish', async () => {
    const events = collect<TopicEvent>(await alone.client.events());
    await alone.client.subscribe('local:own');
    await alone.client.subscribe('own');
    for (let sent = 0; sent < 3; sent += 1) {
      await alone.client.publish('own', Buffer.from('same'));
      await alone.client.publish('local:own', Buffer.from('same'));
    }
    await until('six events', () => (events.length >= 6 ? true : undefined), {
      budgetMs: 5_000,
      everyMs: 10,
    });
    expect(events).toHaveLength(6);
  });
});

describe('two nodes', () => {
  let alice: Started;
  let bob: Started;
  beforeAll(async () => {
    alice = await startNode('alice', []);
    bob = await startNode('bob', [formatAddress(alice.udpAddress)]);
    const linked = async ({ client }: Started) => ((await client.health()).peers === 1 ? true : undefined);
    for (const side of [alice, bob])
      await until('the link', () => linked(side), { budgetMs: 10_000, everyMs: 20 });
  });

  it.each(DOCUMENTS)('serve the whole %s document while they are linked', async (name) => {
    for (const side of [alice, bob]) await readStrictly(side, name);
  });

  it('name each other in /peers and in the connectivity document', async () => {
    expect((await alice.client.peers()).peers).toMatchObject([{ id: bob.machineId, agent_id: bob.agentId }]);
    const { body } = await bob.client.document('connectivity');
    expect(body.per_peer_transport).toMatchObject([{ peer_id: alice.machineId, connected: true }]);
  });

  it('tell of the path between them what QUIC measures', async () => {
    const { transport } = await readStrictly(bob, 'transport');
    const measured = { rtt_ms: expect.any(Number), congestion_window_bytes: expect.any(Number) };
    const path = transport.paths.find(({ peer_id }) => peer_id === alice.machineId);
    expect(path).toMatchObject({ ...measured, send_capacity_bytes: expect.any(Number), queued_bytes: 0 });
    expect(path?.sent_packets).toBeGreaterThan(0);
    expect(transport.socket_receive_buffer_bytes).toBeGreaterThan(0);
  });

  it('carry a direct message with an acknowledgement, and the receiver has verified the sender', async () => {
    const events = collect<DirectEvent>(await bob.client.directEvents());
    const receipt = await alice.client.directSend({ agent_id: bob.agentId, payload: Buffer.from('hello') });
    expect(receipt).toMatchObject({ path: 'raw_quic_acked', retries_used: 0, receipt: 'admitted' });
    expect((await first(events)).data).toMatchObject({
      sender: alice.agentId,
      machine_id: alice.machineId,
      verified: true,
      payload: Buffer.from('hello').toString('base64'),
    });
  });

  it('carry a published message to the subscriber, with the origin that signed it', async () => {
    const events = collect<TopicEvent>(await bob.client.events());
    await bob.client.subscribe('weather');
    await alice.client.publish('weather', Buffer.from('rain'));
    expect(await first(events)).toMatchObject({
      event: 'message',
      data: { data: { topic: 'weather', sender: alice.agentId, verified: true } },
    });
  });

  it('count the membership frames that they handle, and of whom they are', async () => {
    await startNode('carol', [formatAddress(alice.udpAddress)]); // of whom alice tells bob
    await until(
      'a membership frame',
      async () => (await readStrictly(bob, 'gossip')).dispatcher.membership.received || undefined,
      { budgetMs: 10_000, everyMs: 20 },
    );
    const { dispatcher, recv_pump } = await readStrictly(bob, 'gossip');
    expect(dispatcher.membership.completed).toBe(dispatcher.membership.received);
    expect(recv_pump.membership.dequeued_total).toBe(dispatcher.membership.received);
    const byPeer = Object.values(recv_pump.per_peer).map((row) => row.membership_produced);
    expect(byPeer.reduce((sum, frames) => sum + frames, 0)).toBe(dispatcher.membership.received);
  });

  it('do not call a message delivered that no reader of /events was there to take', async () => {
    const topic = 'nobody-reads';
    const lonely = await startNode('lonely', []);
    const id = await lonely.client.subscribe(topic);
    const before = (await readStrictly(lonely, 'gossip')).stats;
    await lonely.client.publish(topic, Buffer.from('unheard'));
    const { stats } = await readStrictly(lonely, 'gossip');
    expect(stats.delivered_to_subscriber).toBe(before.delivered_to_subscriber);
    expect(stats.subscriber_channel_closed).toBe(before.subscriber_channel_closed + 1);
    expect(stats.decode_to_delivery_drops).toBe(0);
    await lonely.client.unsubscribe(id);
  });

  it('come to the same head of a log that both write to', async () => {
    for (let nth = 0; nth < 5; nth += 1) {
      await alice.client.appendLog('ledger', Buffer.from(`alice ${nth}`));
      await bob.client.appendLog('ledger', Buffer.from(`bob ${nth}`));
    }
    const equal = async () => {
      const [one, two] = [await alice.client.logHead('ledger'), await bob.client.logHead('ledger')];
      return one.height === 10 && one.head_hash === two.head_hash ? one : undefined;
    };
    const { origins } = await until('equal heads', equal, { budgetMs: 10_000, everyMs: 20 });
    const writers = origins.map(({ agent_id }) => agent_id);
    expect(writers.toSorted()).toEqual([alice.agentId, bob.agentId].toSorted());
  });

  it('keep a different boot id each, and count up inside it', async () => {
    const [one, two] = [await readStrictly(alice, 'runtime'), await readStrictly(bob, 'runtime')];
    expect(one.boot_id).not.toBe(two.boot_id);
  });
});
