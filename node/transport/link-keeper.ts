import type { Logger } from 'pino';
import { BoundedMap } from '../../kit/bounded.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Signing } from '../../kit/signing.ts';
import { isUnspecified, unmapped } from './addresses.ts';
import type { CloseReason } from './close-codes.ts';
import { type DialOutcome, dialError } from './dial-outcome.ts';
import { agentIdOf, type Hello, peerIdOf } from './hello.ts';
import type { Identity, Refusal } from './hello-exchange.ts';
import { LinkTable } from './link-table.ts';
import { PeerSession, type SessionOwner } from './peer-session.ts';
import type { QuicConnection } from './quic-connection.ts';
import type { Contender } from './supersede.ts';
import type { LinkEvent, LinkEventName, PeerId, PeerLink, TrafficClass } from './transport.ts';
import { transportError } from './transport-error.ts';
import { TransportCounters } from './transport-stats.ts';
import type { TransportTuning } from './tuning.ts';

const MAX_BANS = 4_096;
const NO_ROOM: Refusal = { name: 'TOO_MANY_LINKS', why: 'this node has as many links as it may have' };
const BANNED: Refusal = { name: 'PEER_BANNED', why: 'this node has banned its peer for a while' };

export type FrameHandler = (link: PeerLink, frame: Uint8Array) => void | Promise<void>;
export type RequestHandler = (link: PeerLink, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

interface LinkKeeperModules {
  readonly machine: Identity;
  readonly agent: Identity;
  readonly signing: Signing;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps every session from its first packet to its end, the canonical link per peer, and who wants to hear of them. */
export class LinkKeeper implements SessionOwner {
  readonly machine: Identity;
  readonly agent: Identity;
  readonly signing: Signing;
  readonly log: Logger;
  readonly tuning: TransportTuning;
  readonly certificateSha256: Uint8Array;
  readonly table = new LinkTable();
  readonly counters = new TransportCounters();
  readonly sessions = new Set<PeerSession>();
  readonly frameHandlers = new Map<TrafficClass, FrameHandler>();
  readonly listeners = new Set<(event: LinkEvent) => void>();
  requestHandler: RequestHandler | undefined;
  readonly #clock: Clock;
  readonly #bannedUntilMs = new BoundedMap<PeerId, number>({ max: MAX_BANS });
  readonly #dials = new Map<PeerSession, DialOutcome>();
  /** Sessions that were never canonical: nobody heard of their beginning, so nobody hears of their end. */
  readonly #lost = new WeakSet<PeerSession>();

  constructor(tuning: TransportTuning, certificateSha256: Uint8Array, modules: LinkKeeperModules) {
    this.machine = modules.machine;
    this.agent = modules.agent;
    this.signing = modules.signing;
    this.log = modules.log;
    this.tuning = tuning;
    this.certificateSha256 = certificateSha256;
    this.#clock = modules.clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Strangers whose hello is not done. */
  get halfOpenInbound(): number {
    let halfOpen = 0;
    for (const { connection, link } of this.sessions) {
      if (link === undefined && connection.initiator === 'them') halfOpen += 1;
    }
    return halfOpen;
  }

  /** Starts the hello on a connection that someone opened to us. */
  accept(connection: QuicConnection, ownHello: Hello): void {
    this.counters.inboundTotal += 1;
    this.#open(connection, ownHello, undefined);
  }

  /**
   * Runs the hello on a connection that we opened; gives the canonical link to whoever answered.
   * @throws TransportError with the refusal's name, `DIAL_TIMEOUT` or `DIAL_FAILED`; the signal's reason when it aborts
   */
  async connect(
    connection: QuicConnection,
    ownHello: Hello,
    { expected, signal }: { expected: PeerId | undefined; signal: AbortSignal },
  ): Promise<PeerLink> {
    const session = this.#open(connection, ownHello, expected);
    const onAbort = () => connection.close('DialAborted', 'the dialler gave up');
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<PeerLink>((resolve, reject) => this.#dials.set(session, { resolve, reject }));
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#dials.delete(session);
    }
  }

  /** Looks at every live link; call it regularly. */
  tick(): void {
    const nowMs = this.nowMs();
    for (const session of this.sessions) session.tick(nowMs);
  }

  /** A peer that has a link may always take another, which replaces it; one that is banned may not. */
  turnsAway(peerId: PeerId): Refusal | undefined {
    if ((this.#bannedUntilMs.get(peerId) ?? 0) > this.nowMs()) return BANNED;
    const hasRoom = this.table.size < this.tuning.maxLinks || this.table.get(peerId) !== undefined;
    return hasRoom ? undefined : NO_ROOM;
  }

  /** Ends the live link to `peerId`, and refuses new ones for a while. */
  ban(peerId: PeerId, detail: string): void {
    this.#bannedUntilMs.delete(peerId); // so that the newest ban is the last to be forgotten
    this.#bannedUntilMs.set(peerId, this.nowMs() + this.tuning.banMs);
    this.table.session(peerId)?.connection.close('Banned', detail);
  }

  established(session: PeerSession, theirs: Hello, contender: Contender): PeerLink {
    const { host, port } = session.connection.remote;
    const remote = { host: unmapped(host), port };
    const listen = theirs.listenAddress;
    const admission = this.table.admit(session, contender, {
      peerId: peerIdOf(theirs),
      agentId: agentIdOf(theirs),
      agentPublicKey: new Uint8Array(theirs.agentPublicKey),
      initiator: session.connection.initiator,
      remote,
      listenAddress: isUnspecified(listen.host) ? { host: remote.host, port: listen.port } : listen,
      establishedAtMs: contender.establishedAtMs,
      features: theirs.features,
    });
    const drainUntilMs = contender.establishedAtMs + this.tuning.drainMs;
    if (admission.kind === 'lost') {
      session.drainUntilMs = drainUntilMs;
      this.#lost.add(session);
    } else {
      this.counters.establishedTotal += 1;
      if (admission.kind === 'replaced') {
        const { previous } = admission;
        this.counters.replacedTotal += 1;
        previous.session.drainUntilMs = drainUntilMs;
        if (session.streams) previous.session.streams?.moveWaitingTo(session.streams);
        this.#announce('Replaced', previous.link, 'Superseded');
      }
      this.#announce('Established', admission.link, null);
    }
    this.#dials.get(session)?.resolve(this.table.get(admission.link.peerId) ?? admission.link);
    return admission.link;
  }

  over(session: PeerSession, reason: CloseReason): void {
    this.sessions.delete(session);
    const { link } = session;
    if (link === undefined) {
      this.counters.countRefusal(reason);
      this.log.debug({ remote: session.connection.remote, reason }, 'a connection ended before its hello');
    } else if (!this.#lost.has(session)) {
      const wasCanonical = this.table.remove(session);
      if (wasCanonical) this.counters.disconnectsTotal += 1;
      this.counters.countClose(reason);
      this.#announce('Closing', link, reason.name);
      this.#announce('Closed', link, reason.name);
    }
    this.#dials.get(session)?.reject(dialError(session, reason));
  }

  deliver(session: PeerSession, trafficClass: TrafficClass, frame: Uint8Array): void | Promise<void> {
    const handler = this.frameHandlers.get(trafficClass);
    const link = this.#canonicalLink(session);
    if (handler !== undefined && link !== undefined) return handler(link, frame);
    this.counters.unclaimedFramesTotal += 1;
  }

  answer(session: PeerSession, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const link = this.#canonicalLink(session);
    if (this.requestHandler !== undefined && link !== undefined)
      return this.requestHandler(link, body, signal);
    return Promise.reject(transportError('NO_HANDLER', 'No room takes requests'));
  }

  /** What a superseded session still carries belongs to the link that its peer has now. */
  #canonicalLink(session: PeerSession): PeerLink | undefined {
    const own = session.link;
    return own && (this.table.get(own.peerId) ?? own);
  }

  readerExited(session: PeerSession, detail: string): void {
    this.counters.readerExitedTotal += 1;
    if (session.link && !this.#lost.has(session)) this.#announce('ReaderExited', session.link, detail);
  }

  malformed(): void {
    this.counters.malformedFramesTotal += 1;
  }

  requestExpired(): void {
    this.counters.expiredRequestsTotal += 1;
  }

  highWater(): void {
    this.counters.sendQueueHighWaterTotal += 1;
  }

  #open(connection: QuicConnection, ownHello: Hello, expected: PeerId | undefined): PeerSession {
    const session = new PeerSession(connection, { ownHello, expected }, this);
    this.sessions.add(session);
    session.start();
    return session;
  }

  #announce(event: LinkEventName, link: PeerLink, reason: string | null): void {
    const atUnixMs = this.#clock.wallMs();
    for (const listener of this.listeners) {
      try {
        listener({ event, link, atUnixMs, reason });
      } catch (error) {
        this.log.error({ err: error, event }, 'a listener to link events failed');
      }
    }
  }
}
