import { FaultError } from '../../kit/errors.ts';
import { fleetSites } from '../deploy/fleet-sites.ts';
import { loadOperatorKey } from '../deploy/operator-key-file.ts';
import { StagedUpgrades } from '../deploy/staged-upgrades.ts';
import { deployedBundle } from '../fleet/deployed-program.ts';
import { type Inventory, meshHosts } from '../fleet/inventory.ts';
import { SshHost } from '../fleet/ssh-host.ts';
import { onAll, SshMesh } from '../fleet/ssh-mesh.ts';
import type { RunModules } from '../run/execute-run.ts';

const LOOK_BUDGET_MS = 30_000; // the connection and a digest of 5 MB

/** Of the operator, for a run over deployed hosts. */
interface HostsOptions {
  readonly operatorKey: string;
  /** Directory of the bundle onto which nodes are upgraded; without it, their own under another version. */
  readonly upgradeBundle: string | undefined;
}

/** What a run over deployed hosts takes from them. `dispose` closes connections that no mesh has taken over. */
export interface HostsOfRun extends AsyncDisposable {
  readonly modules: Pick<RunModules, 'bundle' | 'network' | 'startFleet' | 'operatorKey'>;
}

/**
 * Connects to every host of `inventory` and finds the bundle that all of them have deployed: the one that the plan is
 * sealed with.
 * @throws FaultError `BUNDLES_DIFFER`, `NOT_DEPLOYED`, `FLEET_UNUSABLE`, and those of `SshHost`
 */
export async function hostsOfRun(
  inventory: Inventory,
  { operatorKey, upgradeBundle }: HostsOptions,
  signal: AbortSignal,
): Promise<HostsOfRun> {
  const reached = meshHosts(inventory).map((entry) => ({ entry, host: new SshHost(entry.ssh) }));
  const upgrades = new StagedUpgrades(upgradeBundle, { openSites: () => fleetSites(inventory, []) });
  const closeAll = async () => {
    await Promise.all(reached.map(({ host }) => host.close()));
    await upgrades[Symbol.asyncDispose]();
  };
  try {
    const bundles = await onAll(reached, async ({ entry, host }) => ({
      name: entry.name,
      sha256: await deployedBundle(host, { budgetMs: LOOK_BUDGET_MS, signal }),
    }));
    return {
      modules: {
        bundle: { sha256: theOne(bundles) },
        network: inventory.network,
        operatorKey: (signing) => loadOperatorKey(operatorKey, signing),
        startFleet: (plan, _keys, within) => SshMesh.open(plan, reached, { upgrades }, within),
      },
      [Symbol.asyncDispose]: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function theOne(bundles: readonly { readonly name: string; readonly sha256: string }[]): string {
  const byDigest = Map.groupBy(bundles, ({ sha256 }) => sha256);
  const [first, ...others] = byDigest.keys();
  if (first !== undefined && others.length === 0) return first;
  const told = [...byDigest].map(
    ([sha256, hosts]) => `${sha256.slice(0, 12)} on ${hosts.map(({ name }) => name).join(', ')}`,
  );
  throw new FaultError(
    'BUNDLES_DIFFER',
    `the hosts run different programs: ${told.join('; ')}; "meshproof deploy" brings them to one`,
    { details: { bundles: Object.fromEntries(bundles.map(({ name, sha256 }) => [name, sha256])) } },
  );
}
