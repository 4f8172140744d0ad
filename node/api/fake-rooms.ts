import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { realClock } from '../../kit/clock.ts';
import { FaultError } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { Random } from '../../kit/random.ts';
import { connectivityDocument } from '../diagnostics/connectivity.ts';
import { RuntimeMonitor } from '../diagnostics/runtime.ts';
import { transportDocument } from '../diagnostics/transport.ts';
import { DirectMessages } from '../direct/direct-messages.ts';
import { LinkProver } from '../direct/link-prover.ts';
import { cheapSigning, writerNamed } from '../log/log-fixture.ts';
import { ReplicatedLog } from '../log/replicated-log.ts';
import {
  type GossipMessage,
  Subscriptions as PubSubSubscriptions,
  type SubscriberTraits,
  type Subscription,
} from '../pubsub/subscriptions.ts';
import type { LinkEvent, PeerLink, Transport, TransportStats } from '../transport/transport.ts';
import { ApiServer } from './api-server.ts';
import type { ApiServices, PubSubService } from './services.ts';

export const OWN_AGENT = sha256Hex('own agent');
export const OWN_MACHINE = sha256Hex('own machine');

/** A transport without a network: whoever is put into `live` is connected. */
export class FakeTransport implements Transport {
  readonly peerId = OWN_MACHINE;
  readonly live: PeerLink[] = [];
  readonly listeners = new Set<(event: LinkEvent) => void>();
  statsOverride: Partial<TransportStats> = {};

  links = () => this.live;
  linkTo = (peerId: string) => this.live.find((link) => link.peerId === peerId);
  dial = () => Promise.reject(new FaultError('NO_LINK', 'no network'));
  send = () => Promise.reject(new FaultError('NO_LINK', 'no network'));
  request = () => Promise.reject(new FaultError('NO_LINK', 'no network'));
  onFrame = () => {};
  onRequest = () => {};
  closeLink = () => {};
  pathTo = () => undefined;

  onLink = (listener: (event: LinkEvent) => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  stats = (): TransportStats => ({
    boundAddress: { host: '127.0.0.1', port: 5_483 },
    links: [],
    openConnections: 0,
    establishedTotal: 0,
    replacedTotal: 0,
    closedTotal: 0,
    closedByReason: {},
    readerExitedTotal: 0,
    dialsTotal: 0,
    inboundTotal: 0,
    dialFailuresTotal: 0,
    connectsWhileConnectedTotal: 0,
    disconnectsTotal: 0,
    helloRefusalsByReason: {},
    socketSendErrorsTotal: 0,
    sendQueueBytes: 0,
    sendQueueCapacityBytes: 67_108_864,
    sendQueueHighWaterTotal: 0,
    receiveBufferedBytes: 0,
    malformedFramesTotal: 0,
    unclaimedFramesTotal: 0,
    expiredRequestsTotal: 0,
    strayDatagramsTotal: 0,
    refusedInboundTotal: 0,
    socketReceiveErrorsTotal: 0,
    socketReceiveBufferBytes: null,
    ...this.statsOverride,
  });
}

/** Gossip inside this process only. */
class FakePubSub implements PubSubService {
  readonly #subscriptions = new PubSubSubscriptions({ log: pino({ level: 'silent' }) });
  slowDrops = 0;

  async publish(topic: string, payload: Uint8Array): Promise<{ messageId: string }> {
    const messageId = randomBytes(32).toString('hex');
    const place = { origin: OWN_AGENT, seq: 1, hops: 0, receivedAtUnixMs: 0 };
    this.#subscriptions.deliver({ messageId, topic, payload, ...place });
    return { messageId };
  }

  get counts() {
    return this.#subscriptions.counts;
  }

  subscribe(
    topic: string,
    deliver: (message: GossipMessage) => void,
    traits: SubscriberTraits = {},
  ): Subscription {
    return this.#subscriptions.add(topic, deliver, traits);
  }

  recordSlowSubscriberDrops(events: number): void {
    this.slowDrops += events;
  }
}

/** A link to a peer that is not there. */
export function fakeLink(name: string): PeerLink {
  return {
    peerId: sha256Hex(`${name} machine`),
    agentId: sha256Hex(`${name} agent`),
    agentPublicKey: new Uint8Array(1_952),
    generation: 1,
    initiator: 'us',
    remote: { host: '127.0.0.1', port: 4_000 },
    listenAddress: { host: '127.0.0.1', port: 4_000 },
    establishedAtMs: 0,
    features: [],
  };
}

/** The API over rooms without a network: gossip stays in the process, direct messages are real but reach only us. */
export async function startFakeApi({ dataDir: givenDir }: { dataDir?: string } = {}) {
  const dataDir = givenDir ?? (await mkdtemp(join(tmpdir(), 'meshproof-api-')));
  const transport = new FakeTransport();
  const pubsub = new FakePubSub();
  const log = { warn: () => {}, error: () => {} };
  const direct = new DirectMessages(
    {},
    { transport, agentId: OWN_AGENT, machineId: OWN_MACHINE, clock: realClock, log },
  );
  direct.start();
  const agent = writerNamed('own agent');
  const logs = new ReplicatedLog(
    { maxEntriesPerTopic: 4 },
    {
      transport,
      agent,
      signing: cheapSigning,
      clock: realClock,
      random: new Random(1),
      log: { ...log, debug: () => {} },
    },
  );
  const noSigning = {
    backend: 'native',
    workers: 0,
    queueDepth: 0,
    signsTotal: 0,
    verifiesTotal: 0,
  } as const;
  const noTimes = { p50: null, p99: null };
  const runtime = new RuntimeMonitor({
    version: '0.0.0',
    bundleSha256: null,
    signing: () => ({ ...noSigning, signMs: noTimes, verifyMs: noTimes }),
    api: () => api.stats(),
    unhandledErrors: () => 0,
  });
  runtime.start();
  const asked = { shutdowns: 0 };
  const services: ApiServices = {
    facts: {
      agentId: OWN_AGENT,
      machineId: OWN_MACHINE,
      version: '0.0.0',
      instanceName: null,
      networkId: 'test',
      epoch: () => ({ boot_id: 'boot', uptime_secs: 1 }),
      warnings: () => [],
    },
    pubsub,
    direct,
    logs,
    links: transport,
    documents: {
      gossip: () => {
        throw new FaultError('NOT_STARTED', 'there is no gossip room here');
      },
      ack: () => direct.ackDiagnostics(),
      dm: () => direct.diagnostics(),
      connectivity: () => connectivityDocument(transport.stats(), { peerId: OWN_MACHINE, uptimeSecs: 1 }),
      transport: () =>
        transportDocument(
          transport.stats(),
          new LinkProver({ transport, clock: realClock, log }).counts(),
          [],
        ),
      runtime: () => runtime.document(),
    },
    requestShutdown: () => {
      asked.shutdowns += 1;
    },
  };
  const api = new ApiServer({ bind: { host: '127.0.0.1', port: 0 }, dataDir, log }, services);
  const address = await api.start();
  return {
    api,
    dataDir,
    transport,
    pubsub,
    direct,
    asked,
    baseUrl: `http://127.0.0.1:${address.port}`,
    async stop() {
      await api.stop();
      await direct.stop();
      runtime.stop();
      if (givenDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
