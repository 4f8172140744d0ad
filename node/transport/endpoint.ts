import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import quiche from '@matrixai/quic/native/quiche.js';
import type { Header } from '@matrixai/quic/native/types.js';
import { isLoopback } from './addresses.ts';
import type { QuicConfigs } from './quic-config.ts';
import { type ConnectionHost, QuicConnection } from './quic-connection.ts';
import type { SocketAddress } from './transport.ts';
import type { UdpSocket } from './udp-socket.ts';

const CONNECTION_ID_BYTES = 16;
const LONG_HEADER = 0x80;

interface EndpointModules {
  readonly socket: UdpSocket;
  readonly configs: QuicConfigs;
  readonly localAddress: SocketAddress;
  readonly acknowledgeDelayMs: number;
  readonly acknowledgeEveryPackets: number;
  readonly nowMs: () => number;
  /** Whether one more stranger may start a handshake. */
  readonly mayAccept: () => boolean;
  readonly onInbound: (connection: QuicConnection) => void;
}

/** Shares one socket among connections: routes datagrams by connection id and runs the pumps. */
export class Endpoint implements ConnectionHost {
  readonly #modules: EndpointModules;
  readonly #byId = new Map<string, QuicConnection>();
  readonly #idsOf = new Map<QuicConnection, readonly string[]>();
  #pumping: QuicConnection[] = [];
  readonly #acknowledging = new Set<QuicConnection>();
  #immediate: NodeJS.Immediate | undefined;
  #acknowledgeTimer: NodeJS.Timeout | undefined;
  strayDatagramsTotal = 0;
  refusedInboundTotal = 0;

  constructor(modules: EndpointModules) {
    this.#modules = modules;
  }

  get socket(): UdpSocket {
    return this.#modules.socket;
  }

  get localAddress(): SocketAddress {
    return this.#modules.localAddress;
  }

  get acknowledgeEveryPackets(): number {
    return this.#modules.acknowledgeEveryPackets;
  }

  /** Connections that are not over yet; those that only wait out their draining period do not count. */
  get openConnections(): number {
    let open = 0;
    for (const connection of this.#idsOf.keys()) if (connection.end === undefined) open += 1;
    return open;
  }

  connections(): MapIterator<QuicConnection> {
    return this.#idsOf.keys();
  }

  nowMs(): number {
    return this.#modules.nowMs();
  }

  /** Starts a connection to an IP address in the socket's family. The caller gives it a user and pumps it. */
  connect(remote: SocketAddress): QuicConnection {
    const id = randomBytes(CONNECTION_ID_BYTES);
    const native = quiche.Connection.connect(
      null,
      id,
      this.localAddress,
      remote,
      this.#configFor(remote.host),
    );
    const connection = new QuicConnection(native, 'us', remote, this);
    this.#adopt(connection, [id.toString('latin1')]);
    return connection;
  }

  receive(datagram: Buffer, from: RemoteInfo): void {
    const connection = this.#route(datagram, from);
    if (connection === undefined) this.strayDatagramsTotal += 1;
    else connection.receive(datagram, from.address, from.port);
  }

  schedulePump(connection: QuicConnection): void {
    connection.isPumpScheduled = true;
    this.#pumping.push(connection);
    this.#immediate ??= setImmediate(this.#pumpAll);
  }

  scheduleAcknowledgement(connection: QuicConnection): void {
    this.#acknowledging.add(connection);
    this.#acknowledgeTimer ??= setTimeout(this.#acknowledgeAll, this.#modules.acknowledgeDelayMs);
  }

  acknowledged(connection: QuicConnection): void {
    if (!this.#acknowledging.delete(connection) || this.#acknowledging.size > 0) return;
    clearTimeout(this.#acknowledgeTimer); // a process that wakes for nothing is most of what an idle mesh costs
    this.#acknowledgeTimer = undefined;
  }

  release(connection: QuicConnection): void {
    for (const id of this.#idsOf.get(connection) ?? []) this.#byId.delete(id);
    this.#idsOf.delete(connection);
    this.acknowledged(connection);
  }

  /** Drops every connection and timer; the socket is the caller's to close. */
  stop(): void {
    for (const connection of [...this.#idsOf.keys()]) connection.release();
    clearImmediate(this.#immediate);
    clearTimeout(this.#acknowledgeTimer);
    this.#pumping = [];
    this.#acknowledging.clear();
  }

  #adopt(connection: QuicConnection, ids: readonly string[]): void {
    for (const id of ids) this.#byId.set(id, connection);
    this.#idsOf.set(connection, ids);
  }

  #configFor(host: string) {
    return isLoopback(host) ? this.#modules.configs.loopback : this.#modules.configs.network;
  }

  #route(datagram: Buffer, from: RemoteInfo): QuicConnection | undefined {
    if (datagram.length < CONNECTION_ID_BYTES + 1) return undefined;
    if (((datagram[0] ?? 0) & LONG_HEADER) === 0) {
      return this.#byId.get(datagram.toString('latin1', 1, 1 + CONNECTION_ID_BYTES));
    }
    const header = parseHeader(datagram);
    if (header === undefined) return undefined;
    return this.#byId.get(Buffer.from(header.dcid).toString('latin1')) ?? this.#accept(header, from);
  }

  #accept(header: Header, from: RemoteInfo): QuicConnection | undefined {
    if (header.ty !== quiche.Type.Initial || !quiche.versionIsSupported(header.version)) return undefined;
    if (!this.#modules.mayAccept()) {
      this.refusedInboundTotal += 1;
      return undefined;
    }
    const id = randomBytes(CONNECTION_ID_BYTES);
    const remote = { host: from.address, port: from.port };
    const config = this.#configFor(remote.host);
    const native = quiche.Connection.accept(id, null, this.localAddress, remote, config);
    const connection = new QuicConnection(native, 'them', remote, this);
    // Until our id reaches the client it goes on sending to the one it made up.
    this.#adopt(connection, [id.toString('latin1'), Buffer.from(header.dcid).toString('latin1')]);
    this.#modules.onInbound(connection);
    return connection;
  }

  readonly #pumpAll = (): void => {
    this.#immediate = undefined;
    const due = this.#pumping;
    this.#pumping = [];
    for (const connection of due) connection.pump();
  };

  readonly #acknowledgeAll = (): void => {
    this.#acknowledgeTimer = undefined;
    const due = [...this.#acknowledging];
    this.#acknowledging.clear();
    for (const connection of due) connection.flushAcknowledgements();
  };
}

function parseHeader(datagram: Buffer): Header | undefined {
  try {
    return quiche.Header.fromSlice(datagram, CONNECTION_ID_BYTES);
  } catch {
    return undefined; // not QUIC; counted as a stray datagram
  }
}
