import { type Logger, pino } from 'pino';
import { createSigning } from '../../kit/create-signing.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { Random } from '../../kit/random.ts';
import { MemoryHub, type MemoryTransport } from '../sim/memory-transport.ts';
import { steadyClock } from '../transport/fixture-clocks.ts';
import { PubSub, type PubSubOptions } from './pubsub.ts';

export interface GossipNode {
  readonly pubsub: PubSub;
  readonly transport: MemoryTransport;
  readonly agentId: string;
}

/** Real gossip nodes with real keys on a memory transport: what the tests of this room stand on. */
export async function gossipNodes(
  count: number,
  options: PubSubOptions = {},
  log: Logger = pino({ level: 'silent' }),
) {
  const signing = await createSigning();
  const hub = new MemoryHub();
  const nodes: GossipNode[] = [];
  const verifications = { total: 0 };
  for (let at = 0; at < count; at += 1) {
    const signer = await signing.signer(signing.freshSeed());
    const agentId = sha256Hex(signer.publicKey);
    const transport = hub.join({ peerId: sha256Hex(agentId), agentId, agentPublicKey: signer.publicKey });
    const pubsub = new PubSub(options, {
      transport,
      agent: { id: agentId, publicKey: signer.publicKey, sign: (message) => signer.sign(message) },
      signing: {
        backend: signing.backend,
        freshSeed: () => signing.freshSeed(),
        signer: (seed) => signing.signer(seed),
        stats: () => signing.stats(),
        close: () => signing.close(),
        verify: (key, message, signature) => {
          verifications.total += 1;
          return signing.verify(key, message, signature);
        },
      },
      clock: steadyClock,
      random: new Random(at),
      log,
    });
    transport.onFrame('control', (link, frame) => {
      pubsub.handleControlFrame(link, frame);
    });
    pubsub.start();
    nodes.push({ pubsub, transport, agentId });
  }
  const stop = async () => {
    for (const { pubsub } of nodes) await pubsub.stop();
    await signing.close();
  };
  return { hub, nodes, verifications, signing, [Symbol.asyncDispose]: stop };
}
