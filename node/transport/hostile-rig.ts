import { randomBytes } from 'node:crypto';
import { createProcessCertificate } from './certificate.ts';
import { Endpoint } from './endpoint.ts';
import { LinkKeeper } from './link-keeper.ts';
import { buildQuicConfigs } from './quic-config.ts';
import type { ConnectionUser, QuicConnection } from './quic-connection.ts';
import type { QuicTransportModules } from './quic-transport.ts';
import type { PeerId, SocketAddress } from './transport.ts';
import { DEFAULT_TUNING } from './tuning.ts';
import { UdpSocket } from './udp-socket.ts';

/** Whom a hostile peer attacks; tells only what anyone could know of it. Without a peer id, whoever answers is met. */
interface Target {
  readonly address: SocketAddress;
  readonly transport?: { readonly peerId: PeerId };
}

/** A peer that speaks QUIC and the hello as it should, and beyond that whatever a test wants. */
export async function hostilePeer(
  modules: QuicTransportModules,
  {
    networkId = 'rig',
    bind = { host: '127.0.0.1', port: 0 },
  }: { readonly networkId?: string; readonly bind?: SocketAddress } = {},
) {
  const certificate = createProcessCertificate();
  const keeper = new LinkKeeper({ ...DEFAULT_TUNING, helloTimeoutMs: 30_000 }, certificate.sha256, modules);
  const socket = new UdpSocket({
    onDatagram: (data, from) => endpoint.receive(data, from),
    onSmallBuffer: () => {},
  });
  const localAddress = await socket.bind(bind);
  const endpoint = new Endpoint({
    socket,
    configs: buildQuicConfigs(certificate, DEFAULT_TUNING),
    localAddress,
    acknowledgeDelayMs: 1,
    acknowledgeEveryPackets: 1,
    nowMs: () => performance.now(),
    mayAccept: () => false,
    onInbound: () => {},
  });
  return {
    endpoint,
    /** A proven link, whose native connection the test may abuse. */
    async linked(target: Target): Promise<QuicConnection> {
      const connection = endpoint.connect(target.address);
      const ownHello = {
        networkId,
        machinePublicKey: modules.machine.publicKey,
        agentPublicKey: modules.agent.publicKey,
        nonce: randomBytes(32),
        listenAddress: localAddress,
        dialSequence: 1,
        features: [],
      };
      const signal = AbortSignal.timeout(30_000);
      await keeper.connect(connection, ownHello, { expected: target.transport?.peerId, signal });
      return connection;
    },
    /** A connection with TLS done on which `bytes` are sent in place of a hello; gives how it was closed. */
    async saysInstead(target: Target, streamId: number, bytes: Uint8Array): Promise<string> {
      const connection = endpoint.connect(target.address);
      const closed = Promise.withResolvers<string>();
      let left = bytes;
      const user: ConnectionUser = {
        handshaken: () => {},
        readExpected: () => {},
        readable: (id) => void connection.native.streamRecv(id, new Uint8Array(65_536)),
        flush: () => {
          const taken = connection.native.streamSend(streamId, left, false) ?? 0;
          left = left.subarray(taken);
          return taken;
        },
        sendCapacity: () => 0,
        closed: ({ name }) => closed.resolve(name),
      };
      connection.use(user);
      connection.schedulePump();
      return await closed.promise;
    },
    async [Symbol.asyncDispose]() {
      endpoint.stop();
      await socket.close();
    },
  };
}
