import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import type { SocketAddress } from './transport.ts';

const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024; // a burst of one connection window must not be lost in the kernel
const PACKET_BYTES = 65_536;

export type SocketFactory = (options: SocketOptions) => Socket;

interface UdpModules {
  readonly onDatagram: (datagram: Buffer, from: RemoteInfo) => void;
  /** The kernel refused a larger buffer. Linux does not: it gives less (net.core.rmem_max), see `receiveBufferBytes`. */
  readonly onSmallBuffer: (why: string) => void;
  readonly createSocket?: SocketFactory | undefined;
}

/**
 * One UDP socket for every connection. Packets are built in `packet` and leave before `send` returns: the address
 * given is an IP address already, so the lookup that dgram makes for each packet is answered on the spot. A packet
 * that the kernel does not take at once keeps its buffer, and `packet` becomes a fresh one. An error of sending is
 * one lost datagram; an error of receiving is counted, and the socket stays.
 */
export class UdpSocket {
  readonly #modules: UdpModules;
  #socket: Socket | undefined;
  packet: Buffer = Buffer.allocUnsafeSlow(PACKET_BYTES);
  family: 'udp4' | 'udp6' = 'udp4';
  sendErrorsTotal = 0;
  receiveErrorsTotal = 0;

  constructor(modules: UdpModules) {
    this.#modules = modules;
  }

  /** What the kernel keeps for us at most, as it says itself; null while the socket is not bound. */
  get receiveBufferBytes(): number | null {
    return this.#socket?.getRecvBufferSize() ?? null;
  }

  /**
   * Binds, dual stack when the host is `::`. Port 0 takes a free one.
   * @throws FaultError `UDP_BIND_FAILED`, with the address
   */
  async bind(address: SocketAddress): Promise<SocketAddress> {
    this.family = isIPv6(address.host) ? 'udp6' : 'udp4';
    const socket = (this.#modules.createSocket ?? createSocket)({
      type: this.family,
      lookup: (host, _options, done) => done(null, host, this.family === 'udp6' ? 6 : 4),
    });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ address: address.host, port: address.port, exclusive: true }, resolve);
      });
    } catch (cause) {
      socket.close();
      const at = `${address.host}:${address.port}`;
      throw new FaultError('UDP_BIND_FAILED', `Cannot bind UDP ${at}: ${messageOf(cause)}`, {
        details: { host: address.host, port: address.port, errno: codeOf(cause) },
        cause,
      });
    }
    socket.removeAllListeners('error');
    socket.on('error', () => {
      this.receiveErrorsTotal += 1;
    });
    socket.on('message', this.#modules.onDatagram);
    this.#growBuffers(socket);
    this.#socket = socket;
    const bound = socket.address();
    return { host: bound.address, port: bound.port };
  }

  /** Sends the first `bytes` of `packet`. */
  send(bytes: number, port: number, host: string): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    try {
      socket.send(this.packet, 0, bytes, port, host, this.#sent);
      if (socket.getSendQueueCount() > 0) this.packet = Buffer.allocUnsafeSlow(PACKET_BYTES);
    } catch {
      this.sendErrorsTotal += 1;
    }
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => socket.close(resolve));
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.sendErrorsTotal += 1;
  };

  /** Whatever the kernel gives, the socket works. */
  #growBuffers(socket: Socket): void {
    for (const grow of [socket.setRecvBufferSize, socket.setSendBufferSize]) {
      try {
        grow.call(socket, SOCKET_BUFFER_BYTES);
      } catch (error) {
        this.#modules.onSmallBuffer(messageOf(error));
      }
    }
  }
}
