import type { Argv } from 'yargs';
import { type FleetSites, fleetSites } from '../deploy/fleet-sites.ts';
import type { Interrupts } from '../deploy/interrupts.ts';
import { type Inventory, readInventory } from '../fleet/inventory.ts';
import type { Progress } from '../progress/progress.ts';
import { EarlyEnd } from './early-end.ts';
import { confirmNetworkOf, withNetwork } from './network-flags.ts';

/** What a command on deployed hosts works with, and how it is asked to end. */
export interface OnFleet extends Interrupts {
  readonly inventory: Inventory;
  readonly sites: FleetSites;
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
  const asked = new AbortController();
  const show: Progress['show'] = ({ event }) => {
    if (event === 'still_stopping') asked.abort(early.signal.reason);
  };
  using early = new EarlyEnd({ show, close: () => {} });
  await confirmNetworkOf(
    inventory,
    { network: text('network'), confirmNetwork: text('confirmNetwork') },
    early.signal,
  );
  await work({ inventory, sites, signal: early.signal, abandon: asked.signal });
  early.throwIfDefective();
}

/** Says to the person who interrupts what becomes of it; for commands that finish what they have in hand. */
export function tellInterrupt({ signal, abandon }: Interrupts): void {
  const tell = (line: string) => () => void process.stderr.write(`${line}\n`);
  const first = 'ends after the hosts in hand; interrupt again to leave them as they are';
  signal.addEventListener('abort', tell(first), { once: true });
  const second = 'they are left as they are, unverified: "status" shows what runs';
  abandon.addEventListener('abort', tell(second), { once: true });
}
