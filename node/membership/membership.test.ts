import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { MeshproofError } from '../../kit/errors.ts';
import { Random } from '../../kit/random.ts';
import type {
  LinkEvent,
  PeerLink,
  SocketAddress,
  Transport,
  TransportStats,
} from '../transport/transport.ts';
import { decodePeers, encodePeers } from './exchange.ts';
import { Membership } from './membership.ts';

const idOf = (port: number) => port.toString(16).padStart(64, '0');
const at = (port: number): SocketAddress => ({ host: '127.0.0.1', port });

/** Nodes in one process that are linked by plain calls. A dial to a port where nobody is fails; `deaf` ones hang. */
class FakeNetwork {
  readonly nodes = new Map<number, FakeTransport>();
  readonly deaf = new Set<number>();
  readonly refusals = new Map<number, string>();
}

class FakeTransport implements Transport {
  readonly peerId: string;
  readonly dials: string[] = [];
  readonly sent: { readonly to: string; readonly frame: Uint8Array }[] = [];
  readonly #network: FakeNetwork;
  readonly #port: number;
  readonly #links = new Map<string, PeerLink>();
  readonly #listeners = new Set<(event: LinkEvent) => void>();
  #onControl: (link: PeerLink, frame: Uint8Array) => void = () => {};

  constructor(network: FakeNetwork, port: number) {
    this.#network = network;
    this.#port = port;
    this.peerId = idOf(port);
    network.nodes.set(port, this);
  }

  links = () => [...this.#links.values()];
  linkTo = (peerId: string) => this.#links.get(peerId);

  async dial(
    address: SocketAddress,
    { expected, signal }: { expected?: string; signal: AbortSignal },
  ): Promise<PeerLink> {
    this.dials.push(`${expected === undefined ? 'anyone' : 'expected'}@${address.port}`);
    if (this.#network.deaf.has(address.port)) {
      return await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    }
    const refusal = this.#network.refusals.get(address.port);
    if (refusal) throw new MeshproofError(refusal, 'refused');
    const other = this.#network.nodes.get(address.port);
    if (other === undefined) throw new MeshproofError('DIAL_FAILED', 'nobody is there');
    if (other === this) throw new MeshproofError('SELF_DIAL', 'that is this node');
    other.admit(this.peerId, this.#port, 'them');
    return this.admit(other.peerId, address.port, 'us');
  }

  admit(peerId: string, port: number, initiator: 'us' | 'them'): PeerLink {
    const agent = { agentId: peerId, agentPublicKey: new Uint8Array() };
    const generation = (this.#links.get(peerId)?.generation ?? 0) + 1;
    const link = {
      peerId,
      ...agent,
      generation,
      initiator,
      remote: at(port),
      listenAddress: at(port),
      establishedAtMs: 0,
      features: [],
    };
    this.#links.set(peerId, link);
    this.#emit('Established', link);
    return link;
  }

  drop(peerId: string): void {
    const link = this.#links.get(peerId);
    this.#links.delete(peerId);
    if (link) this.#emit('Closed', link);
  }

  #emit(event: LinkEvent['event'], link: PeerLink): void {
    for (const listener of this.#listeners) listener({ event, link, atUnixMs: 0, reason: null });
  }

  async send(peerId: string, _class: string, frame: Uint8Array): Promise<void> {
    this.sent.push({ to: peerId, frame });
    const other = [...this.#network.nodes.values()].find((node) => node.peerId === peerId);
    const link = other?.linkTo(this.peerId);
    if (other === undefined || link === undefined) throw new MeshproofError('NO_LINK', 'no link');
    other.#onControl(link, frame);
  }

  onFrame(_class: string, handler: (link: PeerLink, frame: Uint8Array) => void): void {
    this.#onControl = handler;
  }

  onLink(listener: (event: LinkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  closeLink = (peerId: string) => this.drop(peerId);
  onRequest = () => {};
  request = async (): Promise<Uint8Array> => Promise.reject(new Error('membership makes no requests'));
  stats = (): TransportStats => {
    throw new Error('membership reads no statistics');
  };
}

const running: Membership[] = [];
afterEach(() => {
  for (const membership of running.splice(0)) membership.stop();
});

const clock = new VirtualClock();
const log = { debug: () => {}, info: () => {}, warn: () => {} };

function startNode(
  network: FakeNetwork,
  port: number,
  knownPorts: readonly number[],
  { peerExchange }: { readonly peerExchange: boolean } = { peerExchange: true },
) {
  const transport = new FakeTransport(network, port);
  const membership = new Membership(
    { knownPeers: knownPorts.map(at), peerExchange },
    { transport, clock, random: new Random(port), log },
  );
  transport.onFrame('control', (link, frame) => void membership.handleControlFrame(link, frame));
  membership.start();
  running.push(membership);
  return { transport, membership };
}

const within = (what: string, probe: () => boolean, everyMs = 50) =>
  until(
    what,
    async () => {
      await clock.advance(everyMs);
      return probe() || undefined;
    },
    { budgetMs: 40_000, everyMs: 1 },
  );

test('six nodes that know only the first become a full mesh by what they tell each other', async () => {
  const network = new FakeNetwork();
  const nodes = [1, 2, 3, 4, 5, 6].map((port) => startNode(network, port, [1]));
  await within('the full mesh', () => nodes.every(({ transport }) => transport.links().length === 5));
  const { transport, membership } = nodes[0] ?? expect.unreachable();
  expect(membership.snapshot()).toMatchObject({ connectedPeers: 5, knownPeers: 5 });
  expect(membership.snapshot().tombstones).toEqual([
    { target: 'address 127.0.0.1:1', reason: 'self', remainingMs: null },
  ]);
  const before = transport.dials.length;
  await clock.advance(20_000);
  expect(transport.dials.length).toBe(before); // nobody who is connected is dialled
});

test('without peer exchange nobody is told of anybody, and what others tell is counted and let go', async () => {
  const network = new FakeNetwork();
  const talkative = [startNode(network, 2, []), startNode(network, 3, []), startNode(network, 4, [3])];
  const silent = startNode(network, 1, [2, 3], { peerExchange: false });
  await within('the told frame', () => silent.membership.snapshot().peersFramesIgnoredTotal > 0);
  await clock.advance(35_000);
  expect(silent.transport.sent).toEqual([]);
  expect(silent.transport.dials).toEqual(['anyone@2', 'anyone@3']);
  expect(silent.membership.snapshot()).toMatchObject({ knownPeers: 2, exchange: null });
  expect(talkative[2]?.transport.dials).toContain('expected@1'); // the others still tell of whom they see
});

test('a peer that comes back is met within half a second, with its id expected', async () => {
  const network = new FakeNetwork();
  const [a, b] = [startNode(network, 1, [2]), startNode(network, 2, [])];
  await within('the link', () => a.transport.links().length === 1);
  await clock.advance(15_000);
  a.transport.drop(b.transport.peerId);
  b.transport.drop(a.transport.peerId);
  const lostMs = clock.nowMs();
  await within('the link again', () => a.transport.links().length === 1);
  expect(clock.nowMs() - lostMs).toBeLessThanOrEqual(500);
  expect([...a.transport.dials, ...b.transport.dials]).toContain('expected@2');
});

test('a peer that somebody waits for is dialled before its back-off ends, once for all who wait', async () => {
  const network = new FakeNetwork();
  const b = startNode(network, 2, []);
  const a = startNode(network, 1, [2]);
  const { peerId } = b.transport;
  await within('the link', () => a.transport.links().length === 1);
  await clock.advance(15_000);
  network.nodes.delete(2);
  a.transport.drop(peerId);
  await clock.advance(8_000); // the waits have grown to 4 s
  network.nodes.set(2, b.transport);
  const dialsBefore = a.transport.dials.length;
  const waits = Array.from({ length: 5 }, () => a.membership.ensureLink(peerId, AbortSignal.timeout(40_000)));
  const sinceMs = clock.nowMs();
  await within('the link again', () => a.transport.links().length === 1);
  await Promise.all(waits);
  expect(clock.nowMs() - sinceMs).toBeLessThanOrEqual(1_100);
  expect(a.transport.dials.length).toBe(dialsBefore + 1);
});

test('a peer without an address is refused by name, and waiting for one ends with its signal', async () => {
  const network = new FakeNetwork();
  const { membership } = startNode(network, 1, [2]);
  await expect(membership.ensureLink(idOf(7), AbortSignal.timeout(40_000))).rejects.toMatchObject({
    code: 'PEER_NOT_DIALABLE',
  });
  const [absent, gaveUp] = [idOf(3), new AbortController()];
  membership.handleControlFrame(
    { ...new FakeTransport(network, 9).admit(idOf(9), 9, 'them') },
    encodePeers([{ peerId: absent, address: at(3) }]),
  );
  const waiting = membership.ensureLink(absent, gaveUp.signal);
  gaveUp.abort(new Error('the caller gave up'));
  await expect(waiting).rejects.toThrow('the caller gave up');
});

test('a peer on another network is dialled once', async () => {
  const network = new FakeNetwork();
  network.refusals.set(2, 'WRONG_NETWORK');
  const { transport, membership } = startNode(network, 1, [2]);
  await within('the refusal', () => membership.snapshot().dialsFailedTotal === 1);
  await clock.advance(130_000);
  expect(transport.dials).toEqual(['anyone@2']);
  expect(membership.snapshot().dialFailuresByMeaning).toEqual({ policy: 1 });
});

test('malformed, foreign and too many frames do no harm and are counted', async () => {
  const network = new FakeNetwork();
  const [a, b] = [startNode(network, 1, [2]), startNode(network, 2, [])];
  await within('the link', () => a.transport.links().length === 1);
  const link = a.transport.linkTo(b.transport.peerId) ?? expect.unreachable();
  await clock.advance(11_000);
  expect(a.membership.handleControlFrame(link, Uint8Array.of(0x10, 1, 2))).toBe(false);
  expect(a.membership.handleControlFrame(link, Uint8Array.of(0x01, 1, 0xff))).toBe(true);
  const own = encodePeers([
    { peerId: a.transport.peerId, address: at(9) },
    { peerId: idOf(8), address: at(0) },
  ]);
  for (let frame = 0; frame < 10; frame += 1) expect(a.membership.handleControlFrame(link, own)).toBe(true);
  const { exchange, knownPeers } = a.membership.snapshot();
  expect(knownPeers).toBe(1);
  expect(exchange).toMatchObject({
    framesReceivedTotal: 11,
    framesMalformedTotal: 1,
    framesOverLimitTotal: 3,
  });
  expect(exchange?.entriesRefusedByReason).toMatchObject({ own_id: 7, unroutable: 7 });
});

test('a node tells each peer of its other links only', async () => {
  const network = new FakeNetwork();
  const [a] = [startNode(network, 1, [2, 3]), startNode(network, 2, []), startNode(network, 3, [])];
  await within('both told', () => a.transport.sent.length >= 1);
  for (const { to, frame } of a.transport.sent) {
    const ids = decodePeers(frame).map(({ peerId }) => peerId);
    expect(ids).not.toContain(to);
    expect(ids).not.toContain(a.transport.peerId);
  }
});

test('stopping ends hanging dials and dials nobody any more', async () => {
  const network = new FakeNetwork();
  network.deaf.add(2);
  const { transport, membership } = startNode(network, 1, [2]);
  await within('the dial', () => transport.dials.length === 1);
  expect(membership.snapshot().dialsInFlight).toEqual(['127.0.0.1:2']);
  membership.stop();
  await within('the end of the dial', () => membership.snapshot().dialsInFlight.length === 0);
  await clock.advance(300_000);
  expect(transport.dials).toEqual(['anyone@2']);
});
