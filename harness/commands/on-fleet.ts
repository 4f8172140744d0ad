import type { Argv } from 'yargs';
import { type FleetSites, fleetSites } from '../deploy/fleet-sites.ts';
import { type Inventory, readInventory } from '../fleet/inventory.ts';
import { EarlyEnd } from './early-end.ts';
import { confirmNetworkOf, withNetwork } from './network-flags.ts';

/** What a command on deployed hosts works with. */
export interface OnFleet {
  readonly inventory: Inventory;
  readonly sites: FleetSites;
  readonly signal: AbortSignal;
}

/** The flags that say which hosts a command is about. */
export function withInventory<T>(yargs: Argv<T>) {
  return withNetwork(yargs)
    .option('inventory', {
      type: 'string',
      demandOption: 'say which hosts: --inventory FILE',
      requiresArg: true,
      describe: 'the hosts, as "fleet init" and "lab up" write them',
    })
    .option('host', {
      type: 'string',
      array: true,
      default: [] as string[],
      requiresArg: true,
      describe: 'only these hosts',
    });
}

/**
 * Reads the inventory, makes sure that its network is meant, does `work` with the way to its hosts, and closes it; a
 * signal ends the work.
 */
export async function onFleet(
  flags: { readonly [flag: string]: unknown },
  work: (fleet: OnFleet) => Promise<void>,
): Promise<void> {
  const text = (flag: string) => (flags[flag] === undefined ? undefined : String(flags[flag]));
  const inventory = await readInventory(String(flags.inventory));
  const names = Array.isArray(flags.host) ? flags.host.map(String) : [];
  await using sites = fleetSites(inventory, names);
  using early = new EarlyEnd({ show: () => {}, close: () => {} });
  await confirmNetworkOf(
    inventory,
    { network: text('network'), confirmNetwork: text('confirmNetwork') },
    early.signal,
  );
  await work({ inventory, sites, signal: early.signal });
  early.throwIfDefective();
}
