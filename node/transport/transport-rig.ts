import pino from 'pino';
import { realClock } from '../../kit/clock.ts';
import { createSigning } from '../../kit/create-signing.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { Identity } from './hello-exchange.ts';
import { QuicTransport, type QuicTransportModules, type QuicTransportOptions } from './quic-transport.ts';
import type { LinkEvent, SocketAddress } from './transport.ts';

const signing = await createSigning();

async function freshIdentity(): Promise<Identity> {
  const signer = await signing.signer(signing.freshSeed());
  const { publicKey } = signer;
  return { id: sha256Hex(publicKey), publicKey, sign: (message) => signer.sign(message) };
}

export interface RigNode {
  readonly transport: QuicTransport;
  readonly address: SocketAddress;
  readonly events: LinkEvent[];
  readonly modules: QuicTransportModules;
}

/** Starts real transports on loopback for the tests of this folder; all of them stop with the rig. */
export class TransportRig {
  readonly #started: QuicTransport[] = [];

  async node(
    options: Partial<QuicTransportOptions> = {},
    overrides: Partial<QuicTransportModules> = {},
  ): Promise<RigNode> {
    const modules = {
      machine: await freshIdentity(),
      agent: await freshIdentity(),
      signing,
      clock: realClock,
      log: pino({ level: 'silent' }),
      ...overrides,
    };
    const transport = new QuicTransport(
      { bind: { host: '127.0.0.1', port: 0 }, networkId: 'rig', ...options },
      modules,
    );
    const events: LinkEvent[] = [];
    transport.onLink((event) => events.push(event));
    const address = await transport.start();
    this.#started.push(transport);
    return { transport, address, events, modules };
  }

  /** Two nodes with a link between them, dialled by the first. */
  async pair(options: Partial<QuicTransportOptions> = {}): Promise<readonly [RigNode, RigNode]> {
    const [a, b] = [await this.node(options), await this.node(options)];
    await a.transport.dial(b.address, { expected: b.transport.peerId, signal: AbortSignal.timeout(10_000) });
    return [a, b];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((transport) => transport.stop()));
  }
}
