import pino from 'pino';
import { createSigning } from '../../kit/create-signing.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { steadyClock } from './fixture-clocks.ts';
import type { Identity } from './hello-exchange.ts';
import { QuicTransport, type QuicTransportModules, type QuicTransportOptions } from './quic-transport.ts';
import type { LinkEvent, SocketAddress } from './transport.ts';

const signing = await createSigning();
/** A machine that stands still for seconds is not what these tests are about. */
const PATIENT = { connectTimeoutMs: 30_000, helloTimeoutMs: 30_000 };

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
      clock: steadyClock,
      log: pino({ level: 'silent' }),
      ...overrides,
    };
    const transport = new QuicTransport(
      {
        bind: { host: '127.0.0.1', port: 0 },
        networkId: 'rig',
        ...options,
        tuning: { ...PATIENT, ...options.tuning },
      },
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
    await a.transport.dial(b.address, { expected: b.transport.peerId, signal: AbortSignal.timeout(30_000) });
    return [a, b];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((transport) => transport.stop()));
  }
}
