import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import type { Signing } from '../../kit/signing.ts';
import { isUnspecified, resolveForSocket, unmapped } from './addresses.ts';
import { createProcessCertificate } from './certificate.ts';
import { CLOSE_CODES, type CloseName, type CloseReason, isRefusal } from './close-codes.ts';
import { Endpoint } from './endpoint.ts';
import { agentIdOf, type Hello, peerIdOf } from './hello.ts';
import type { Identity } from './hello-exchange.ts';
import { LinkTable } from './link-table.ts';
import { PeerSession, type SessionOwner } from './peer-session.ts';
import { buildQuicConfigs } from './quic-config.ts';
import type { QuicConnection } from './quic-connection.ts';
import type { Contender } from './supersede.ts';
import type {
  LinkEvent,
  LinkEventName,
  PeerId,
  PeerLink,
  SocketAddress,
  TrafficClass,
  Transport,
  TransportStats,
} from './transport.ts';
import { TransportError, transportError } from './transport-error.ts';
import { linkStatsOf, TransportCounters } from './transport-stats.ts';
import { DEFAULT_TUNING, type TransportTuning } from './tuning.ts';
import { type SocketFactory, UdpSocket } from './udp-socket.ts';

type FrameHandler = (link: PeerLink, frame: Uint8Array) => void | Promise<void>;
type RequestHandler = (link: PeerLink, body: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

export interface QuicTransportOptions {
  readonly bind: SocketAddress;
  /** Only nodes of the same network id are let in. */
  readonly networkId: string;
  readonly tuning?: Partial<TransportTuning>;
}

export interface QuicTransportModules {
  readonly machine: Identity;
  readonly agent: Identity;
  readonly signing: Signing;
  readonly clock: Clock;
  readonly log: Logger;
  /** Makes the UDP socket; `node:dgram`'s own when absent. */
  readonly createSocket?: SocketFactory;
}

interface Running {
  readonly endpoint: Endpoint;
  readonly owner: SessionOwner;
  readonly bound: SocketAddress;
  readonly tick: NodeJS.Timeout;
}

interface DialOutcome {
  readonly resolve: (link: PeerLink) => void;
  readonly reject: (error: unknown) => void;
}

/** QUIC over one UDP socket, with mutually proven peers and one canonical live link to each. */
export class QuicTransport implements Transport {
  readonly #options: QuicTransportOptions;
  readonly #modules: QuicTransportModules;
  readonly #tuning: TransportTuning;
  readonly #counters = new TransportCounters();
  readonly #table = new LinkTable();
  readonly #sessions = new Set<PeerSession>();
  readonly #dials = new Map<PeerSession, DialOutcome>();
  readonly #frameHandlers = new Map<TrafficClass, FrameHandler>();
  readonly #listeners = new Set<(event: LinkEvent) => void>();
  readonly #socket: UdpSocket;
  #requestHandler: RequestHandler | undefined;
  #running: Running | undefined;
  #dialSequence = 0;

  constructor(options: QuicTransportOptions, modules: QuicTransportModules) {
    this.#options = options;
    this.#modules = modules;
    this.#tuning = { ...DEFAULT_TUNING, ...options.tuning };
    this.#socket = new UdpSocket({
      onDatagram: (datagram, from) => this.#receive(datagram, from),
      onSmallBuffer: (why) => modules.log.warn({ why }, 'the kernel keeps the UDP buffers small'),
      createSocket: modules.createSocket,
    });
  }

  get peerId(): PeerId {
    return this.#modules.machine.id;
  }

  /**
   * Binds the socket and listens; gives the bound address.
   * @throws FaultError `UDP_BIND_FAILED`
   */
  async start(): Promise<SocketAddress> {
    const bound = await this.#socket.bind(this.#options.bind);
    const certificate = createProcessCertificate();
    const endpoint = new Endpoint({
      socket: this.#socket,
      configs: buildQuicConfigs(certificate, this.#tuning),
      localAddress: bound,
      acknowledgeDelayMs: this.#tuning.acknowledgeDelayMs,
      acknowledgeEveryPackets: this.#tuning.acknowledgeEveryPackets,
      nowMs: () => this.#modules.clock.nowMs(),
      mayAccept: () => this.#halfOpenInbound() < this.#tuning.maxHalfOpenInbound,
      onInbound: (connection) => this.#acceptInbound(connection),
    });
    const owner = this.#sessionOwner(certificate.sha256);
    this.#running = { endpoint, owner, bound, tick: setInterval(this.#tick, this.#tuning.tickMs) };
    return bound;
  }

  /** Tells every peer that this node goes away, releases the socket and leaves no timer. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    clearInterval(running.tick);
    for (const session of [...this.#sessions]) session.connection.close('PeerShutdown', 'the node stops');
    this.#running = undefined;
    running.endpoint.stop();
    await this.#socket.close();
  }

  links(): readonly PeerLink[] {
    return this.#table.links();
  }

  linkTo(peerId: PeerId): PeerLink | undefined {
    return this.#table.get(peerId);
  }

  /** The name of the canonical connection to `peerId`, the same at both ends. */
  connectionIdOf(peerId: PeerId): string | undefined {
    return this.#table.connectionId(peerId);
  }

  async dial(
    address: SocketAddress,
    { expected, signal }: { expected?: PeerId; signal: AbortSignal },
  ): Promise<PeerLink> {
    signal.throwIfAborted();
    const standing = expected === undefined ? undefined : this.#table.get(expected);
    if (standing !== undefined) {
      this.#counters.connectsWhileConnectedTotal += 1;
      return standing;
    }
    this.#counters.dialsTotal += 1;
    try {
      const remote = await resolveForSocket(address, this.#socket.family);
      signal.throwIfAborted();
      return await this.#connect(remote, expected, signal);
    } catch (error) {
      this.#counters.dialFailuresTotal += 1;
      throw error;
    }
  }

  send(peerId: PeerId, trafficClass: TrafficClass, frame: Uint8Array, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    try {
      return this.#streamsTo(peerId).send(trafficClass, frame, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async request(peerId: PeerId, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    return await this.#streamsTo(peerId).ask(body, signal);
  }

  onFrame(trafficClass: TrafficClass, handler: FrameHandler): void {
    this.#frameHandlers.set(trafficClass, handler);
  }

  onRequest(handler: RequestHandler): void {
    this.#requestHandler = handler;
  }

  onLink(listener: (event: LinkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  closeLink(peerId: PeerId, reason: string): void {
    const name = isCloseName(reason) ? reason : 'LifecycleCleanup';
    this.#table.session(peerId)?.connection.close(name, reason);
  }

  stats(): TransportStats {
    const nowMs = this.#modules.clock.nowMs();
    let sendQueueBytes = 0;
    let receiveBufferedBytes = 0;
    for (const { streams } of this.#sessions) {
      sendQueueBytes += streams?.queuedBytes ?? 0;
      receiveBufferedBytes += streams?.bufferedBytes ?? 0;
    }
    const canonical = this.links().map(({ peerId }) => this.#table.session(peerId));
    const { unclaimedFramesTotal: _, helloRefusalsByReason, ...counts } = this.#counters;
    return {
      ...counts,
      helloRefusalsByReason: { ...helloRefusalsByReason },
      boundAddress: this.#running?.bound ?? null,
      links: canonical.flatMap((session) => (session && linkStatsOf(session, nowMs)) ?? []),
      openConnections: this.#running?.endpoint.openConnections ?? 0,
      socketSendErrorsTotal: this.#socket.sendErrorsTotal,
      sendQueueBytes,
      sendQueueCapacityBytes: this.#tuning.sendQueueBytesPerLink * this.#table.size,
      receiveBufferedBytes,
    };
  }

  #streamsTo(peerId: PeerId) {
    const streams = this.#table.session(peerId)?.streams;
    if (streams !== undefined) return streams;
    throw transportError('NO_LINK', `There is no live link to ${peerId}`, { peer_id: peerId });
  }

  #requireRunning(): Running {
    if (this.#running !== undefined) return this.#running;
    throw transportError('TRANSPORT_STOPPED', 'The transport is not running');
  }

  #receive(datagram: Buffer, from: RemoteInfo): void {
    this.#running?.endpoint.receive(datagram, from);
  }

  #halfOpenInbound(): number {
    let halfOpen = 0;
    for (const { connection, link } of this.#sessions) {
      if (link === undefined && connection.initiator === 'them') halfOpen += 1;
    }
    return halfOpen;
  }

  #acceptInbound(connection: QuicConnection): void {
    this.#counters.inboundTotal += 1;
    this.#openSession(connection, undefined, 0);
  }

  #connect(remote: SocketAddress, expected: PeerId | undefined, signal: AbortSignal): Promise<PeerLink> {
    const { endpoint } = this.#requireRunning();
    this.#dialSequence += 1;
    const session = this.#openSession(endpoint.connect(remote), expected, this.#dialSequence);
    return new Promise<PeerLink>((resolve, reject) => {
      const onAbort = () => {
        outcome.reject(signal.reason);
        session.connection.close('DialAborted', 'the dialler gave up');
      };
      const settle = () => {
        this.#dials.delete(session);
        signal.removeEventListener('abort', onAbort);
      };
      const outcome: DialOutcome = {
        resolve: (link) => {
          settle();
          resolve(link);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#dials.set(session, outcome);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #openSession(connection: QuicConnection, expected: PeerId | undefined, dialSequence: number): PeerSession {
    const { bound, owner } = this.#requireRunning();
    const ownHello: Hello = {
      networkId: this.#options.networkId,
      machinePublicKey: this.#modules.machine.publicKey,
      agentPublicKey: this.#modules.agent.publicKey,
      nonce: randomBytes(32),
      listenAddress: bound,
      dialSequence,
      features: [],
    };
    const session = new PeerSession(connection, { ownHello, expected }, owner);
    this.#sessions.add(session);
    session.start();
    return session;
  }

  #sessionOwner(certificateSha256: Uint8Array): SessionOwner {
    const { machine, agent, signing, log, clock } = this.#modules;
    return {
      machine,
      agent,
      signing,
      log,
      certificateSha256,
      tuning: this.#tuning,
      nowMs: () => clock.nowMs(),
      established: (session, theirs, contender) => this.#establish(session, theirs, contender),
      deliver: (session, trafficClass, frame) => this.#deliver(session, trafficClass, frame),
      answer: (session, body, signal) => this.#answer(session, body, signal),
      readerExited: (session, detail) => {
        this.#counters.readerExitedTotal += 1;
        if (session.link) this.#announce('ReaderExited', session.link, detail);
      },
      malformed: () => {
        this.#counters.malformedFramesTotal += 1;
      },
      highWater: () => {
        this.#counters.sendQueueHighWaterTotal += 1;
      },
      over: (session, reason) => this.#retire(session, reason),
    };
  }

  #establish(session: PeerSession, theirs: Hello, contender: Contender): PeerLink {
    const { host, port } = session.connection.remote;
    const remote = { host: unmapped(host), port };
    const listen = theirs.listenAddress;
    const admission = this.#table.admit(session, contender, {
      peerId: peerIdOf(theirs),
      agentId: agentIdOf(theirs),
      agentPublicKey: new Uint8Array(theirs.agentPublicKey),
      initiator: session.connection.initiator,
      remote,
      listenAddress: isUnspecified(listen.host) ? { host: remote.host, port: listen.port } : listen,
      establishedAtMs: contender.establishedAtMs,
    });
    const drainUntilMs = contender.establishedAtMs + this.#tuning.drainMs;
    if (admission.kind === 'lost') session.drainUntilMs = drainUntilMs;
    else {
      this.#counters.establishedTotal += 1;
      if (admission.kind === 'replaced') {
        const { previous } = admission;
        this.#counters.replacedTotal += 1;
        previous.session.drainUntilMs = drainUntilMs;
        if (session.streams) previous.session.streams?.moveWaitingTo(session.streams);
        this.#announce('Replaced', previous.link, 'Superseded');
      }
      this.#announce('Established', admission.link, null);
    }
    this.#dials.get(session)?.resolve(this.#table.get(admission.link.peerId) ?? admission.link);
    return admission.link;
  }

  #retire(session: PeerSession, reason: CloseReason): void {
    this.#sessions.delete(session);
    const { link } = session;
    if (link === undefined) {
      this.#counters.countRefusal(reason);
      this.#modules.log.debug(
        { remote: session.connection.remote, reason },
        'a connection ended before its hello',
      );
    } else {
      const wasCanonical = this.#table.remove(session);
      if (wasCanonical) this.#counters.disconnectsTotal += 1;
      this.#counters.closedTotal += 1;
      this.#announce('Closing', link, reason.name);
      this.#announce('Closed', link, reason.name);
    }
    this.#dials.get(session)?.reject(dialError(session, reason));
  }

  #deliver(session: PeerSession, trafficClass: TrafficClass, frame: Uint8Array): void | Promise<void> {
    const handler = this.#frameHandlers.get(trafficClass);
    const link = this.#canonicalLink(session);
    if (handler !== undefined && link !== undefined) return handler(link, frame);
    this.#counters.unclaimedFramesTotal += 1;
  }

  #answer(session: PeerSession, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const link = this.#canonicalLink(session);
    if (this.#requestHandler !== undefined && link !== undefined)
      return this.#requestHandler(link, body, signal);
    return Promise.reject(transportError('NO_HANDLER', 'No room takes requests'));
  }

  /** What a superseded session still carries belongs to the link that its peer has now. */
  #canonicalLink(session: PeerSession): PeerLink | undefined {
    const own = session.link;
    return own && (this.#table.get(own.peerId) ?? own);
  }

  #announce(event: LinkEventName, link: PeerLink, reason: string | null): void {
    const atUnixMs = this.#modules.clock.wallMs();
    for (const listener of this.#listeners) {
      try {
        listener({ event, link, atUnixMs, reason });
      } catch (error) {
        this.#modules.log.error({ err: error, event }, 'a listener to link events failed');
      }
    }
  }

  readonly #tick = (): void => {
    const nowMs = this.#modules.clock.nowMs();
    for (const session of this.#sessions) session.tick(nowMs);
  };
}

function isCloseName(name: string): name is CloseName {
  return Object.hasOwn(CLOSE_CODES, name);
}

/** Why a dial came to nothing, with the refusal's own name when there was one. */
function dialError(session: PeerSession, { by, name, detail }: CloseReason): TransportError {
  const { host, port } = session.connection.remote;
  const at = `${unmapped(host)}:${port}`;
  const details = { host: unmapped(host), port, by, reason: name, detail };
  if (isRefusal(name))
    return new TransportError(
      name,
      `${at} ${by === 'us' ? 'was refused' : 'refused us'}: ${name}, ${detail}`,
      { details },
    );
  const isSilence = by === 'silence' || name === 'DialAborted';
  return new TransportError(
    isSilence ? 'DIAL_TIMEOUT' : 'DIAL_FAILED',
    `No link to ${at}: ${name}, ${detail}`,
    { details },
  );
}
