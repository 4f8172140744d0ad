import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import type { Logger } from 'pino';
import type { Clock } from '../../kit/clock.ts';
import type { Signing } from '../../kit/signing.ts';
import { resolveForSocket } from './addresses.ts';
import { createProcessCertificate } from './certificate.ts';
import { CLOSE_CODES, type CloseName } from './close-codes.ts';
import { Endpoint } from './endpoint.ts';
import type { Hello } from './hello.ts';
import type { Identity } from './hello-exchange.ts';
import { type FrameHandler, LinkKeeper, type RequestHandler } from './link-keeper.ts';
import type { PeerStreams } from './peer-streams.ts';
import { buildQuicConfigs } from './quic-config.ts';
import type {
  LinkEvent,
  LinkPath,
  PeerId,
  PeerLink,
  RequestStep,
  SocketAddress,
  TrafficClass,
  Transport,
  TransportStats,
} from './transport.ts';
import { transportError } from './transport-error.ts';
import { linkStatsOf } from './transport-stats.ts';
import { DEFAULT_TUNING, type TransportTuning } from './tuning.ts';
import { type SocketFactory, UdpSocket } from './udp-socket.ts';

export interface QuicTransportOptions {
  readonly bind: SocketAddress;
  /** Only nodes of the same network id are let in. */
  readonly networkId: string;
  /** Told to every peer in the hello: what the rooms above can do beyond the first version. */
  readonly features?: readonly string[];
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
  readonly bound: SocketAddress;
  readonly tick: NodeJS.Timeout;
}

/** QUIC over one UDP socket, with mutually proven peers and one canonical live link to each. */
export class QuicTransport implements Transport {
  readonly #options: QuicTransportOptions;
  readonly #modules: QuicTransportModules;
  readonly #tuning: TransportTuning;
  readonly #certificate = createProcessCertificate();
  readonly #keeper: LinkKeeper;
  readonly #socket: UdpSocket;
  #running: Running | undefined;
  #dialSequence = 0;

  constructor(options: QuicTransportOptions, modules: QuicTransportModules) {
    this.#options = options;
    this.#modules = modules;
    this.#tuning = { ...DEFAULT_TUNING, ...options.tuning };
    this.#keeper = new LinkKeeper(this.#tuning, this.#certificate.sha256, modules);
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
    const endpoint = new Endpoint({
      socket: this.#socket,
      configs: buildQuicConfigs(this.#certificate, this.#tuning),
      localAddress: bound,
      acknowledgeDelayMs: this.#tuning.acknowledgeDelayMs,
      acknowledgeEveryPackets: this.#tuning.acknowledgeEveryPackets,
      nowMs: () => this.#modules.clock.nowMs(),
      mayAccept: () => this.#keeper.halfOpenInbound < this.#tuning.maxHalfOpenInbound,
      onInbound: (connection) => this.#keeper.accept(connection, this.#ownHello(bound, 0)),
    });
    this.#running = { endpoint, bound, tick: setInterval(() => this.#keeper.tick(), this.#tuning.tickMs) };
    return bound;
  }

  /** Tells every peer that this node goes away, releases the socket and leaves no timer. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    clearInterval(running.tick);
    for (const session of [...this.#keeper.sessions])
      session.connection.close('PeerShutdown', 'the node stops');
    this.#running = undefined;
    running.endpoint.stop();
    await this.#socket.close();
  }

  links(): readonly PeerLink[] {
    return this.#keeper.table.links();
  }

  linkTo(peerId: PeerId): PeerLink | undefined {
    return this.#keeper.table.get(peerId);
  }

  /** The name of the canonical connection to `peerId`, the same at both ends. */
  connectionIdOf(peerId: PeerId): string | undefined {
    return this.#keeper.table.connectionId(peerId);
  }

  /** See `Transport.dial`; `LinkKeeper.connect` says what it throws. */
  async dial(
    address: SocketAddress,
    { expected, signal }: { expected?: PeerId; signal: AbortSignal },
  ): Promise<PeerLink> {
    signal.throwIfAborted();
    const { counters, table } = this.#keeper;
    const standing = expected === undefined ? undefined : table.get(expected);
    if (standing !== undefined) {
      counters.connectsWhileConnectedTotal += 1;
      return standing;
    }
    counters.dialsTotal += 1;
    this.#dialSequence += 1;
    const sequence = this.#dialSequence;
    try {
      const remote = await resolveForSocket(address, this.#socket.family);
      signal.throwIfAborted();
      const { endpoint, bound } = this.#requireRunning();
      const ownHello = this.#ownHello(bound, sequence);
      return await this.#keeper.connect(endpoint.connect(remote), ownHello, { expected, signal });
    } catch (error) {
      counters.dialFailuresTotal += 1;
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

  async request(
    peerId: PeerId,
    body: Uint8Array,
    signal: AbortSignal,
    onStep?: (step: RequestStep) => void,
  ): Promise<Uint8Array> {
    signal.throwIfAborted();
    return await this.#streamsTo(peerId).ask(body, signal, onStep);
  }

  onFrame(trafficClass: TrafficClass, handler: FrameHandler): void {
    this.#keeper.frameHandlers.set(trafficClass, handler);
  }

  onRequest(handler: RequestHandler): void {
    this.#keeper.requestHandler = handler;
  }

  onLink(listener: (event: LinkEvent) => void): () => void {
    this.#keeper.listeners.add(listener);
    return () => this.#keeper.listeners.delete(listener);
  }

  closeLink(peerId: PeerId, reason: string, detail = reason): void {
    const name = isCloseName(reason) ? reason : 'LifecycleCleanup';
    if (name === 'Banned') this.#keeper.ban(peerId, detail);
    else this.#keeper.table.session(peerId)?.connection.close(name, detail);
  }

  /** How the live link to `peerId` does now; undefined when there is none. */
  pathTo(peerId: PeerId): LinkPath | undefined {
    const connection = this.#keeper.table.session(peerId)?.connection;
    if (connection === undefined) return undefined;
    const path = connection.native.pathStats().find(({ active }) => active);
    return {
      quietMs: Math.max(0, this.#modules.clock.nowMs() - connection.lastReceivedMs),
      rttMs: path?.rtt ?? null,
    };
  }

  stats(): TransportStats {
    const { counters, table, sessions } = this.#keeper;
    const nowMs = this.#modules.clock.nowMs();
    let sendQueueBytes = 0;
    let receiveBufferedBytes = 0;
    for (const { streams } of sessions) {
      sendQueueBytes += streams?.queuedBytes ?? 0;
      receiveBufferedBytes += streams?.bufferedBytes ?? 0;
    }
    return {
      ...counters.snapshot(),
      boundAddress: this.#running?.bound ?? null,
      links: table.sessions().flatMap((session) => linkStatsOf(session, nowMs) ?? []),
      openConnections: this.#running?.endpoint.openConnections ?? 0,
      socketSendErrorsTotal: this.#socket.sendErrorsTotal,
      socketReceiveErrorsTotal: this.#socket.receiveErrorsTotal,
      socketReceiveBufferBytes: this.#socket.receiveBufferBytes,
      strayDatagramsTotal: this.#running?.endpoint.strayDatagramsTotal ?? 0,
      refusedInboundTotal: this.#running?.endpoint.refusedInboundTotal ?? 0,
      sendQueueBytes,
      sendQueueCapacityBytes: this.#tuning.sendQueueBytesPerLink * table.size,
      receiveBufferedBytes,
    };
  }

  #streamsTo(peerId: PeerId): PeerStreams {
    const streams = this.#keeper.table.session(peerId)?.streams;
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

  #ownHello(listenAddress: SocketAddress, dialSequence: number): Hello {
    return {
      networkId: this.#options.networkId,
      machinePublicKey: this.#modules.machine.publicKey,
      agentPublicKey: this.#modules.agent.publicKey,
      nonce: randomBytes(32),
      listenAddress,
      dialSequence,
      features: this.#options.features ?? [],
    };
  }
}

function isCloseName(name: string): name is CloseName {
  return Object.hasOwn(CLOSE_CODES, name);
}
