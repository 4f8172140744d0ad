// One meshproof peer, transport and gossip as the node puts them together, for `npm run bench -- gossip`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { realClock } from '../kit/clock.ts';
import { createSigning } from '../kit/create-signing.ts';
import { Random } from '../kit/random.ts';
import { loadIdentity } from '../node/identity/load-identity.ts';
import { ORIGIN_TREES } from '../node/pubsub/control-frame.ts';
import { PubSub } from '../node/pubsub/pubsub.ts';
import { QuicTransport } from '../node/transport/quic-transport.ts';
import { servePeer } from './gossip-peer.ts';

const TOPIC = 'bench';
const DIAL_BUDGET_MS = 10_000;

await servePeer(async (deliver) => {
  const home = await mkdtemp(join(tmpdir(), 'meshproof-bench-'));
  const log = pino({ level: 'warn' }, process.stderr);
  const signing = await createSigning();
  const { machine, agent } = await loadIdentity({
    machineKeyPath: join(home, 'machine.key'),
    agentKeyPath: join(home, 'agent.key'),
    signing,
  });
  await rm(home, { recursive: true }); // the keys are read; a peer that is killed leaves nothing
  const clock = realClock;
  const transport = new QuicTransport(
    { bind: { host: '127.0.0.1', port: 0 }, networkId: 'bench', features: [ORIGIN_TREES] },
    { machine, agent, signing, clock, log },
  );
  const random = new Random(Random.freshSeed());
  const pubsub = new PubSub({}, { transport, agent, signing, clock, random, log });
  transport.onFrame('control', (link, frame) => {
    pubsub.handleControlFrame(link, frame);
  });
  pubsub.subscribe(TOPIC, (message) => deliver(message.payload));
  const { host, port } = await transport.start();
  pubsub.start();
  return {
    address: `${host}:${port}`,
    connect: (addresses) =>
      Promise.all(
        addresses.map((address) => {
          const [toHost = '', toPort = ''] = address.split(':');
          const signal = AbortSignal.timeout(DIAL_BUDGET_MS);
          return transport.dial({ host: toHost, port: Number(toPort) }, { signal });
        }),
      ),
    links: () => transport.links().length,
    publish: (payload) => pubsub.publish(TOPIC, payload),
    stop: async () => {
      await pubsub.stop();
      await transport.stop();
      await signing.close();
    },
  };
});
