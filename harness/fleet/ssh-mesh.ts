import pLimit from 'p-limit';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { NodeClient } from '../../node/client.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import { SshFaultDriver } from '../faults/ssh-fault-driver.ts';
import { packedOutsidersProgram } from '../outsiders/program-file.ts';
import { SshOutsiders } from '../outsiders/ssh-outsiders.ts';
import { meshEndpoint } from './deployed-host.ts';
import { nodeHoldsUdp, readTokens } from './deployed-program.ts';
import type { Host } from './host.ts';
import { hostRecords } from './host-evidence.ts';
import { httpOverHost } from './http-over-host.ts';
import type { InventoryHost } from './inventory.ts';
import { meshAddresses } from './mesh-addresses.ts';
import type { Endpoint, Fleet, MeshHost, UpgradePlace } from './mesh-host.ts';
import { SshHost } from './ssh-host.ts';
import { UnitWatcher } from './unit-watcher.ts';

const AT_ONCE = 32;
const READ_BUDGET_MS = 20_000;
const LOOK_BUDGET_MS = 10_000;

/** A host of the inventory and the way to it. */
export interface ReachedHost {
  readonly entry: InventoryHost;
  readonly host: Host;
}

/** Upgrades that end with the run. */
export interface UndoableUpgrades extends UpgradePlace {
  /** Brings every host back to what it ran before. @throws LeftChangedError */
  putBack(): Promise<void>;
}

/**
 * A mesh of deployed hosts, reached over SSH. It starts nothing and takes nothing down: `stop` ends the faults, the upgrades
 * and the connections, and leaves the services running.
 */
export class SshMesh implements Fleet {
  readonly hosts: readonly MeshHost[];
  readonly anchor: MeshHost;
  readonly faults: SshFaultDriver;
  readonly outsiders: SshOutsiders;
  readonly upgrades: UndoableUpgrades;
  readonly #reached: readonly ReachedHost[];
  readonly #watcher: UnitWatcher;
  #stopping: Promise<void> | undefined;

  private constructor(
    hosts: readonly MeshHost[],
    anchor: MeshHost,
    modules: {
      readonly reached: readonly ReachedHost[];
      readonly watcher: UnitWatcher;
      readonly faults: SshFaultDriver;
      readonly outsiders: SshOutsiders;
      readonly upgrades: UndoableUpgrades;
    },
  ) {
    this.hosts = hosts;
    this.anchor = anchor;
    this.faults = modules.faults;
    this.outsiders = modules.outsiders;
    this.upgrades = modules.upgrades;
    this.#reached = modules.reached;
    this.#watcher = modules.watcher;
  }

  /**
   * Finds every node and runner of `plan` on its host. `reached` are the mesh's from now on, to close as well.
   * @throws FaultError `NOT_DEPLOYED`, or `FLEET_UNUSABLE` naming every host that cannot be used
   */
  static async open(
    plan: Pick<Plan, 'run_id' | 'network' | 'anchor'>,
    reached: readonly ReachedHost[],
    { upgrades }: { readonly upgrades: UndoableUpgrades },
    signal: AbortSignal,
  ): Promise<SshMesh> {
    try {
      const found = await onAll(reached, (one) => findHost(one, signal));
      const anchor = found.find(({ mesh }) => mesh.name === plan.anchor);
      if (anchor === undefined) throw new Error(`anchor ${plan.anchor} is not part of this mesh`);
      const watcher = await UnitWatcher.start(
        reached.map(({ host }) => host),
        signal,
      );
      const faults = new SshFaultDriver({
        runId: plan.run_id,
        hosts: found.map(({ mesh, addresses, entry, host }) => ({
          name: mesh.name,
          host,
          addresses,
          // Nothing listens for the API at that address, so a probe is refused at once and leaves no trace in a log.
          probePorts: [entry.apiPort, entry.ssh.port],
        })),
        endExpected: (node, role) => watcher.endExpected(node, role),
      });
      return new SshMesh(
        found.map(({ mesh }) => mesh),
        anchor.mesh,
        { reached, watcher, faults, outsiders: outsidersBeside(plan, reached), upgrades },
      );
    } catch (error) {
      await Promise.all(reached.map(({ host }) => host.close()));
      throw error;
    }
  }

  onProcessEnd(listener: Parameters<Fleet['onProcessEnd']>[0]): void {
    this.#watcher.onProcessEnd(listener);
  }

  onControlChange(listener: Parameters<NonNullable<Fleet['onControlChange']>>[0]): void {
    this.#watcher.onControlChange(listener);
  }

  checkWays(signal: AbortSignal, nodes?: readonly string[]): Promise<void> {
    return this.#watcher.checkWays(signal, nodes);
  }

  async lookAtHosts(window: number | null, signal: AbortSignal): Promise<readonly EvidenceRecord[]> {
    return await hostRecords(this.#reached, this.hosts, window, signal);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Every step is taken, whatever became of those before it. */
  async #stop(): Promise<void> {
    await using steps = new AsyncDisposableStack(); // taken from the last to the first
    steps.defer(async () => void (await Promise.all(this.#reached.map(({ host }) => host.close()))));
    steps.defer(async () => void (await Promise.all(this.hosts.map(({ node }) => node.close()))));
    steps.defer(() => this.upgrades.putBack()); // nobody watches any more: what ends now is meant to
    steps.defer(() => this.#watcher.stop());
    steps.defer(() => this.faults.close());
    steps.defer(() => this.outsiders.close());
  }
}

/** On the last host that is not the anchor, over a connection of its own: the run's has no channel to spare. */
function outsidersBeside(
  { run_id: runId, network: networkId, anchor }: Pick<Plan, 'run_id' | 'network' | 'anchor'>,
  reached: readonly ReachedHost[],
): SshOutsiders {
  const nodes = reached.map(({ entry }) => entry);
  const seat = nodes.findLast(({ name }) => name !== anchor);
  if (seat === undefined) throw new Error('a mesh of the anchor alone');
  return new SshOutsiders({
    runId,
    networkId,
    nodes,
    host: new SshHost(seat.ssh),
    program: packedOutsidersProgram,
  });
}

async function findHost({ entry, host }: ReachedHost, signal: AbortSignal) {
  const [tokens, addresses] = await Promise.all([
    readTokens(host, { budgetMs: READ_BUDGET_MS, signal }),
    meshAddresses(entry, host, { budgetMs: READ_BUDGET_MS, signal }),
  ]);
  const endpoint = (port: number, token: string): Endpoint => ({
    baseUrl: `http://127.0.0.1:${port}`,
    token,
    tunnel: httpOverHost(host, port),
  });
  const api = endpoint(entry.apiPort, tokens.node);
  const whole = new AbortController().signal; // a look has its own deadline
  const mesh: MeshHost = {
    name: entry.name,
    region: entry.region,
    node: new NodeClient(api),
    api,
    runner: endpoint(entry.runnerPort, tokens.runner),
    udpAddress: meshEndpoint(entry),
    udpPortBound: () => nodeHoldsUdp(host, entry.udpPort, { budgetMs: LOOK_BUDGET_MS, signal: whole }),
  };
  return { entry, host, mesh, addresses };
}

/**
 * Does `work` on all hosts at the same time and gives the results in their order.
 * @throws FaultError `FLEET_UNUSABLE` naming every host where it failed; its own error when that was one
 */
export async function onAll<T>(
  reached: readonly ReachedHost[],
  work: (reached: ReachedHost) => Promise<T>,
): Promise<readonly T[]> {
  const limit = pLimit(AT_ONCE);
  const tried = await Promise.allSettled(reached.map((one) => limit(() => work(one))));
  const failures = tried.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) {
    throw new FaultError(
      'FLEET_UNUSABLE',
      `${failures.length} of ${reached.length} hosts cannot be used: ${failures.map(messageOf).join('; ')}`,
      { cause: failures[0] },
    );
  }
  return tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
