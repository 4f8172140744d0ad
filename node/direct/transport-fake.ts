import type { Clock } from '../../kit/clock.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type {
  LinkEvent,
  LinkEventName,
  PeerId,
  PeerLink,
  RequestStep,
  Transport,
  TransportStats,
} from '../transport/transport.ts';
import { TransportError } from '../transport/transport-error.ts';

/** What becomes of one request: how long each way takes, and what is lost. A test sets it per transmission. */
export interface Fate {
  readonly requestMs?: number;
  readonly replyMs?: number;
  readonly lose?: 'request' | 'reply';
  /** Replaces the reply's bytes. */
  readonly reply?: Uint8Array;
  /** Replaces the request's bytes. */
  readonly request?: Uint8Array;
  readonly fail?: string;
}

type RequestHandler = (link: PeerLink, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

/** A transport in memory, for tests: links, lifecycle events and requests whose fate the test decides. */
export class FakeTransport implements Transport {
  readonly peerId: PeerId;
  readonly agentId: string;
  readonly #clock: Clock;
  readonly #links = new Map<PeerId, { link: PeerLink; far: FakeTransport }>();
  readonly #generations = new Map<PeerId, number>();
  readonly #listeners = new Set<(event: LinkEvent) => void>();
  #handler: RequestHandler | undefined;
  /** Asked for each request that leaves here; `nth` counts them from 1. */
  fate: (nth: number) => Fate = () => ({});
  requestsTotal = 0;
  readonly closed: { readonly peerId: PeerId; readonly reason: string }[] = [];

  constructor(name: string, clock: Clock) {
    this.peerId = sha256Hex(`machine ${name}`);
    this.agentId = sha256Hex(`agent ${name}`);
    this.#clock = clock;
  }

  links(): readonly PeerLink[] {
    return [...this.#links.values()].map(({ link }) => link);
  }

  linkTo(peerId: PeerId): PeerLink | undefined {
    return this.#links.get(peerId)?.link;
  }

  /** Makes a new canonical connection to `far` on both sides; what was there is replaced. */
  connect(far: FakeTransport): void {
    this.#join(far, 'us');
    far.#join(this, 'them');
  }

  /** Ends the connection on both sides. */
  disconnect(far: FakeTransport, reason = 'test'): void {
    this.#leave(far, reason);
    far.#leave(this, reason);
  }

  async request(
    peerId: PeerId,
    body: Uint8Array,
    signal: AbortSignal,
    onStep?: (step: RequestStep) => void,
  ): Promise<Uint8Array> {
    const held = this.#links.get(peerId);
    if (held === undefined) throw new TransportError('NO_LINK', `no link to ${peerId}`);
    this.requestsTotal += 1;
    const fate = this.fate(this.requestsTotal);
    if (fate.fail) throw new TransportError(fate.fail, 'the test wants it to fail');
    for (const step of ['opened', 'written', 'finished'] as const) onStep?.(step);
    await this.#clock.sleep(fate.requestMs ?? 0, signal);
    if (fate.lose === 'request') return await silence(signal);
    const handler = held.far.#handler;
    const near = held.far.linkTo(this.peerId) ?? mirrored(this, held.link);
    if (handler === undefined) throw new TransportError('REQUEST_RESET', 'nobody takes requests');
    const reply = await handler(near, fate.request ?? body, signal);
    await this.#clock.sleep(fate.replyMs ?? 0, signal);
    if (fate.lose === 'reply') return await silence(signal);
    return fate.reply ?? reply;
  }

  onRequest(handler: RequestHandler): void {
    this.#handler = handler;
  }

  onLink(listener: (event: LinkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  closeLink(peerId: PeerId, reason: string): void {
    this.closed.push({ peerId, reason });
    const held = this.#links.get(peerId);
    if (held) this.disconnect(held.far, reason);
  }

  dial(): Promise<PeerLink> {
    return Promise.reject(new TransportError('DIAL_FAILED', 'the fake does not dial'));
  }

  send(): Promise<void> {
    return Promise.reject(new TransportError('NO_LINK', 'the fake carries requests only'));
  }

  onFrame(): void {}

  stats(): TransportStats {
    throw new TransportError('NOT_HERE', 'the fake has no figures');
  }

  #join(far: FakeTransport, initiator: 'us' | 'them'): void {
    const before = this.#links.get(far.peerId)?.link;
    const generation = (this.#generations.get(far.peerId) ?? 0) + 1;
    this.#generations.set(far.peerId, generation);
    const link = linkOf(far, generation, initiator);
    this.#links.set(far.peerId, { link, far });
    this.#tell(before ? 'Replaced' : 'Established', before ?? link);
  }

  #leave(far: FakeTransport, reason: string): void {
    const held = this.#links.get(far.peerId);
    if (held === undefined) return;
    this.#links.delete(far.peerId);
    this.#tell('Closed', held.link, reason);
  }

  #tell(event: LinkEventName, link: PeerLink, reason: string | null = null): void {
    for (const listener of this.#listeners) listener({ event, link, atUnixMs: this.#clock.wallMs(), reason });
  }
}

function linkOf(
  far: { peerId: string; agentId: string },
  generation: number,
  initiator: 'us' | 'them',
): PeerLink {
  const address = { host: '127.0.0.1', port: 1 };
  return {
    peerId: far.peerId,
    agentId: far.agentId,
    agentPublicKey: new Uint8Array(),
    generation,
    initiator,
    remote: address,
    listenAddress: address,
    establishedAtMs: 0,
    features: [],
  };
}

/** How the far side knew a link that it has given up meanwhile, while that still drains. */
function mirrored(near: FakeTransport, { generation, initiator }: PeerLink): PeerLink {
  return linkOf(near, generation, initiator === 'us' ? 'them' : 'us');
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
}
