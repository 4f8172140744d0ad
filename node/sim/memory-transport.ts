import { ORIGIN_TREES } from '../pubsub/control-frame.ts';
import type {
  AgentId,
  LinkEvent,
  PeerId,
  PeerLink,
  TrafficClass,
  Transport,
  TransportStats,
} from '../transport/transport.ts';

type FrameHandler = (link: PeerLink, frame: Uint8Array) => void | Promise<void>;

const NOWHERE = { host: '127.0.0.1', port: 0 } as const;

/** A frame that the transport takes no sooner than `until`. */
interface Held {
  readonly frame: Uint8Array;
  readonly until: Promise<void>;
}

/** What a test may do to a frame on its way: pass it, lose it, change it, or hold the sender, for ever or for a while. */
export type Tamper = (
  from: PeerId,
  to: PeerId,
  frame: Uint8Array,
  trafficClass: TrafficClass,
) => Uint8Array | Held | 'lose' | 'stall';

/** Joins `MemoryTransport`s of one process: frames arrive on a later turn of the event loop, in order per pair. */
export class MemoryHub {
  readonly transports = new Map<PeerId, MemoryTransport>();
  readonly closed: { readonly by: PeerId; readonly peer: PeerId; readonly reason: string }[] = [];
  framesSent = 0;
  tamper: Tamper = (_from, _to, frame) => frame;

  join(identity: {
    readonly peerId: PeerId;
    readonly agentId: AgentId;
    readonly agentPublicKey: Uint8Array;
  }): MemoryTransport {
    const transport = new MemoryTransport(this, identity);
    this.transports.set(identity.peerId, transport);
    return transport;
  }

  connect(a: MemoryTransport, b: MemoryTransport): void {
    a.linkUp(b, 'us');
    b.linkUp(a, 'them');
  }

  connectAll(): void {
    const all = [...this.transports.values()];
    for (const [at, a] of all.entries()) for (const b of all.slice(at + 1)) this.connect(a, b);
  }

  disconnect(a: MemoryTransport, b: MemoryTransport): void {
    a.linkDown(b.peerId);
    b.linkDown(a.peerId);
  }
}

/** A `Transport` without a network, for driving the rooms above it in one process. */
export class MemoryTransport implements Transport {
  readonly peerId: PeerId;
  readonly identity: {
    readonly peerId: PeerId;
    readonly agentId: AgentId;
    readonly agentPublicKey: Uint8Array;
  };
  /** What its peers read in its hello. */
  features: readonly string[] = [ORIGIN_TREES];
  readonly #hub: MemoryHub;
  readonly #links = new Map<PeerId, PeerLink>();
  readonly #generations = new Map<PeerId, number>();
  readonly #handlers = new Map<TrafficClass, FrameHandler>();
  readonly #listeners = new Set<(event: LinkEvent) => void>();

  constructor(hub: MemoryHub, identity: MemoryTransport['identity']) {
    this.#hub = hub;
    this.identity = identity;
    this.peerId = identity.peerId;
  }

  links(): readonly PeerLink[] {
    return [...this.#links.values()];
  }

  linkTo(peerId: PeerId): PeerLink | undefined {
    return this.#links.get(peerId);
  }

  linkUp(other: MemoryTransport, initiator: PeerLink['initiator']): void {
    const generation = (this.#generations.get(other.peerId) ?? 0) + 1;
    this.#generations.set(other.peerId, generation);
    const link: PeerLink = {
      ...other.identity,
      generation,
      initiator,
      remote: NOWHERE,
      listenAddress: NOWHERE,
      establishedAtMs: 0,
      features: other.features,
    };
    this.#links.set(other.peerId, link);
    this.#tell({ event: 'Established', link, atUnixMs: 0, reason: null });
  }

  linkDown(peerId: PeerId): void {
    const link = this.#links.get(peerId);
    if (!link) return;
    this.#links.delete(peerId);
    this.#tell({ event: 'Closed', link, atUnixMs: 0, reason: 'test' });
  }

  dial(): Promise<PeerLink> {
    return Promise.reject(new Error('a memory transport is connected by its hub'));
  }

  send(peerId: PeerId, trafficClass: TrafficClass, frame: Uint8Array, signal: AbortSignal): Promise<void> {
    const target = this.#hub.transports.get(peerId);
    if (!target || !this.#links.has(peerId)) return Promise.reject(new Error('no live link'));
    const sent = this.#hub.tamper(this.peerId, peerId, frame, trafficClass);
    if (sent === 'stall') return untilAborted(signal);
    const pass = (passed: Uint8Array) => {
      this.#hub.framesSent += 1;
      setImmediate(() => target.#arrive(this.peerId, trafficClass, passed));
    };
    if (sent === 'lose') this.#hub.framesSent += 1;
    else if (sent instanceof Uint8Array) pass(sent);
    else return Promise.race([sent.until, untilAborted(signal)]).then(() => pass(sent.frame));
    return Promise.resolve();
  }

  request(): Promise<Uint8Array> {
    return Promise.reject(new Error('a memory transport has no requests'));
  }

  onFrame(trafficClass: TrafficClass, handler: FrameHandler): void {
    this.#handlers.set(trafficClass, handler);
  }

  onRequest(): void {}

  onLink(listener: (event: LinkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  closeLink(peerId: PeerId, reason: string): void {
    this.#hub.closed.push({ by: this.peerId, peer: peerId, reason });
    const other = this.#hub.transports.get(peerId);
    if (other) this.#hub.disconnect(this, other);
  }

  stats(): TransportStats {
    return {
      boundAddress: null,
      links: [],
      openConnections: this.#links.size,
      establishedTotal: 0,
      replacedTotal: 0,
      closedTotal: 0,
      closedByReason: {},
      readerExitedTotal: 0,
      dialsTotal: 0,
      inboundTotal: 0,
      dialFailuresTotal: 0,
      connectsWhileConnectedTotal: 0,
      disconnectsTotal: 0,
      helloRefusalsByReason: {},
      socketSendErrorsTotal: 0,
      sendQueueBytes: 0,
      sendQueueCapacityBytes: 0,
      sendQueueHighWaterTotal: 0,
      receiveBufferedBytes: 0,
      malformedFramesTotal: 0,
      unclaimedFramesTotal: 0,
      expiredRequestsTotal: 0,
      strayDatagramsTotal: 0,
      refusedInboundTotal: 0,
      socketReceiveErrorsTotal: 0,
      socketReceiveBufferBytes: null,
    };
  }

  #arrive(from: PeerId, trafficClass: TrafficClass, frame: Uint8Array): void {
    const link = this.#links.get(from);
    if (link) void this.#handlers.get(trafficClass)?.(link, frame);
  }

  #tell(event: LinkEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
}
