import { randomUUID } from 'node:crypto';
import { access, constants, mkdir } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Clock, realClock } from '../kit/clock.ts';
import { createSigning } from '../kit/create-signing.ts';
import { codeOf, FaultError } from '../kit/errors.ts';
import { Random } from '../kit/random.ts';
import type { Signing } from '../kit/signing.ts';
import { ApiServer } from './api/api-server.ts';
import type { DocumentService, NodeFacts } from './api/services.ts';
import { VERSION } from './api/version.ts';
import type { NodeConfig } from './config.ts';
import { connectivityDocument } from './diagnostics/connectivity.ts';
import { ControlHandling } from './diagnostics/control-handling.ts';
import { ownBundleDigest } from './diagnostics/own-bundle.ts';
import { RuntimeMonitor } from './diagnostics/runtime.ts';
import { transportDocument } from './diagnostics/transport.ts';
import { DirectMessages } from './direct/direct-messages.ts';
import { LinkProver } from './direct/link-prover.ts';
import { loadIdentity, type NodeIdentity } from './identity/load-identity.ts';
import { ReplicatedLog } from './log/replicated-log.ts';
import { Membership } from './membership/membership.ts';
import { ORIGIN_TREES } from './pubsub/control-frame.ts';
import { PubSub } from './pubsub/pubsub.ts';
import { QuicTransport } from './transport/quic-transport.ts';
import type { PeerLink, SocketAddress } from './transport/transport.ts';

export interface NodeModules {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Called when a client asks the node to stop. */
  readonly onShutdownRequested: () => void;
  /** Errors that reached no handler so far. */
  readonly unhandledErrors: () => number;
}

/** Where a started node can be reached, and who it is. */
export interface RunningNode {
  readonly udpAddress: SocketAddress;
  readonly apiAddress: SocketAddress;
  readonly agentId: string;
  readonly machineId: string;
  readonly bootId: string;
  /** What signs and verifies: the runtime's own ML-DSA-65, or the portable one where it has none. */
  readonly signingBackend: Signing['backend'];
}

/** Puts the rooms of a node together, starts them from the ground up and stops them the other way round. */
export class MeshNode {
  readonly #config: NodeConfig;
  readonly #modules: NodeModules;
  readonly #clock: Clock;
  readonly #bootId = randomUUID();
  /** What has been started, in order. */
  readonly #started: { readonly name: string; stop(): unknown }[] = [];

  constructor(config: NodeConfig, modules: NodeModules) {
    this.#config = config;
    this.#modules = modules;
    this.#clock = modules.clock ?? realClock;
  }

  /**
   * Resolves when the UDP socket is bound and the API listens. What was started is stopped again when it cannot.
   * @throws FaultError or UsageError, naming what could not be had
   */
  async start(): Promise<RunningNode> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops whatever was started, last first. A room that fails to stop does not keep the others from it. */
  async stop(): Promise<void> {
    for (const room of this.#started.splice(0).reverse()) {
      try {
        await room.stop();
      } catch (err) {
        this.#modules.log.error({ err, room: room.name }, 'a room did not stop cleanly');
      }
    }
  }

  async #start(): Promise<RunningNode> {
    const { bindAddress, dataDir, networkId, maxDatagramBytes } = this.#config;
    const { log, random = new Random(Random.freshSeed()) } = this.#modules;
    const clock = this.#clock;
    const startedAtMs = clock.nowMs();
    await makeDataDir(dataDir);

    const signing = await createSigning();
    this.#started.push({ name: 'signing', stop: () => signing.close() });
    const { machine, agent } = await loadIdentity({ ...this.#config, signing });

    const tuning = maxDatagramBytes !== null && {
      datagramBytes: maxDatagramBytes,
      loopbackDatagramBytes: maxDatagramBytes,
    };
    const transport = new QuicTransport(
      { bind: bindAddress, networkId, features: [ORIGIN_TREES], ...(tuning && { tuning }) },
      { machine, agent, signing, clock, log },
    );
    const membership = new Membership(this.#config, { transport, clock, random, log });
    const pubsub = new PubSub({}, { transport, agent, signing, clock, random, log });
    const direct = new DirectMessages(
      {},
      {
        transport,
        agentId: agent.id,
        machineId: machine.id,
        clock,
        log,
        ensureLink: (peerId, signal) => membership.ensureLink(peerId, signal),
        pathTo: (peerId) => transport.pathTo(peerId),
      },
    );
    const logs = new ReplicatedLog({}, { transport, agent, signing, clock, random, log });
    const prover = new LinkProver({ transport, clock, log });
    const handling = new ControlHandling(() => clock.nowMs());
    const forMembership = (link: PeerLink, frame: Uint8Array) =>
      handling.take(link.peerId, () => membership.handleControlFrame(link, frame));
    transport.onFrame('control', (link, frame) => {
      if (forMembership(link, frame) || pubsub.handleControlFrame(link, frame)) return;
      if (logs.handleControlFrame(link, frame)) return;
      log.debug({ peerId: link.peerId, kind: frame[0] }, 'a control frame of a kind that nobody knows');
    });

    const uptimeSecs = () => Math.floor((clock.nowMs() - startedAtMs) / 1_000);
    const facts = this.#facts({ machine, agent }, uptimeSecs);
    const runtime = new RuntimeMonitor({
      version: VERSION,
      bundleSha256: await ownBundleDigest(import.meta.filename),
      signing: () => signing.stats(),
      api: () => api.stats(),
      unhandledErrors: this.#modules.unhandledErrors,
    });
    const documents: DocumentService = {
      gossip: () => handling.complete(pubsub.diagnostics()),
      ack: () => direct.ackDiagnostics(),
      dm: () => direct.diagnostics(),
      connectivity: () =>
        connectivityDocument(transport.stats(), { peerId: machine.id, uptimeSecs: uptimeSecs() }),
      transport: () => transportDocument(transport.stats(), prover.counts(), this.#config.knownPeers),
      runtime: () => runtime.document(),
    };
    const api = new ApiServer(
      { bind: this.#config.apiAddress, dataDir, log },
      {
        facts,
        pubsub,
        direct,
        logs,
        links: transport,
        documents,
        requestShutdown: () => this.#modules.onShutdownRequested(),
      },
    );

    const udpAddress = await this.#begin('transport', transport);
    await this.#begin('pubsub', pubsub);
    await this.#begin('direct', direct);
    await this.#begin('logs', logs);
    await this.#begin('runtime', runtime);
    const apiAddress = await this.#begin('api', api);
    await this.#begin('membership', membership);
    await this.#begin('link prover', prover);
    return {
      udpAddress,
      apiAddress,
      agentId: agent.id,
      machineId: machine.id,
      bootId: this.#bootId,
      signingBackend: signing.backend,
    };
  }

  /** Starts a room and remembers to stop it, even when it came up only half. */
  async #begin<T>(name: string, room: { start(): T | Promise<T>; stop(): unknown }): Promise<T> {
    this.#started.push({ name, stop: () => room.stop() });
    return await room.start();
  }

  #facts({ machine, agent }: NodeIdentity, uptimeSecs: () => number): NodeFacts {
    const { instanceName, networkId } = this.#config;
    return {
      agentId: agent.id,
      machineId: machine.id,
      version: VERSION,
      instanceName,
      networkId,
      epoch: () => ({ boot_id: this.#bootId, uptime_secs: uptimeSecs() }),
      warnings: () => {
        const unhandled = this.#modules.unhandledErrors();
        return unhandled > 0 ? [`${unhandled} errors reached no handler; see the log`] : [];
      },
    };
  }
}

async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new FaultError(
      'DATA_DIR_UNUSABLE',
      `cannot write the data directory ${dataDir}: ${codeOf(cause)}`,
      {
        details: { data_dir: dataDir },
        cause,
      },
    );
  }
}
