import { UsageError } from '../../kit/errors.ts';
import { HARMLESS } from '../../proofs/safety-schema.ts';
import { scenarioNamed } from '../../scenarios/registry.ts';
import { harmOf } from '../../scenarios/scenario.ts';
import { anchorHost, type Inventory, meshHosts, readInventory } from '../fleet/inventory.ts';
import type { RunOptions } from '../run/run-options.ts';
import { badFlag } from './flag-value.ts';

/** The flags that say where the nodes of a run are. */
export interface MeshFlags {
  readonly local?: unknown;
  readonly inventory?: string | undefined;
  readonly nodes?: string | undefined;
  readonly links?: string | undefined;
  readonly 'base-port'?: unknown;
  readonly environment?: string | undefined;
  readonly 'confirm-network'?: string | undefined;
}

/** What makes sense for a mesh on this machine only. */
const LOCAL_ONLY = ['nodes', 'links', 'base-port'] as const;
const INVENTORY_ONLY = ['environment', 'confirm-network'] as const;
const FEWEST_HOSTS = 2;

/**
 * The hosts that the run is about; null for a mesh on this machine.
 * @throws UsageError `NO_MESH`, `BAD_FLAG`, `TOO_FEW_HOSTS`, and what `readInventory` throws
 */
export async function inventoryOfRun(flags: MeshFlags): Promise<Inventory | null> {
  const { local, inventory: file } = flags;
  if (local !== undefined && file !== undefined) {
    throw new UsageError(
      'BAD_FLAG',
      '--local starts nodes on this machine, --inventory names hosts that run them: give one of the two',
    );
  }
  if (local === undefined && file === undefined) {
    throw new UsageError(
      'NO_MESH',
      'say where the nodes are: --local N starts them here (for example --local 6), --inventory FILE names deployed hosts',
    );
  }
  const misplaced = (file === undefined ? INVENTORY_ONLY : LOCAL_ONLY).find(
    (flag) => flags[flag] !== undefined,
  );
  if (misplaced !== undefined) {
    const belongs = file === undefined ? '--inventory' : '--local';
    throw new UsageError('BAD_FLAG', `--${misplaced}: goes with ${belongs} only`);
  }
  if (file === undefined) return null;
  const inventory = await readInventory(file);
  const count = meshHosts(inventory).length;
  if (count >= FEWEST_HOSTS) return inventory;
  throw new UsageError(
    'TOO_FEW_HOSTS',
    `${inventory.source}: a run needs ${FEWEST_HOSTS} hosts that carry a node, not ${count}`,
    { details: { file: inventory.source, hosts: count } },
  );
}

/**
 * The nodes of a run over `inventory`, and its anchor unless a flag names one.
 * @throws UsageError `BAD_ENVIRONMENT`
 */
export function nodesOf(
  inventory: Inventory,
): Pick<RunOptions, 'nodes'> & { readonly anchor: string | undefined } {
  if (inventory.environment === HARMLESS.environment) {
    throw new UsageError(
      'BAD_ENVIRONMENT',
      `${inventory.source}: environment "${inventory.environment}" means this machine: give the hosts' another name`,
    );
  }
  return {
    nodes: meshHosts(inventory).map(({ name, region }) => ({ name, region })),
    anchor: anchorHost(inventory)?.name,
  };
}

/**
 * Makes sure that who breaks something knows where: a destructive run over hosts names their environment.
 * @throws UsageError `ENVIRONMENT_NOT_NAMED`, `BAD_FLAG`
 */
export function checkEnvironment(
  { environment, source }: Inventory,
  named: string | undefined,
  { scenarios }: Pick<RunOptions, 'scenarios'>,
): void {
  if (named !== undefined && named !== environment) {
    throw badFlag('--environment', named, `the environment of ${source}, which is "${environment}"`);
  }
  const harmful = scenarios.find(({ name, options }) => harmOf(scenarioNamed(name), options) !== null);
  if (harmful === undefined || named !== undefined) return;
  throw new UsageError(
    'ENVIRONMENT_NOT_NAMED',
    `--scenarios: ${harmful.name} does harm; say where: --environment ${environment}`,
    { details: { flag: '--environment', environment } },
  );
}
