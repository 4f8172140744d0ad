import type { Argv } from 'yargs';
import { confirmNetwork } from '../fleet/confirm-network.ts';
import type { Inventory } from '../fleet/inventory.ts';
import { terminalHere } from '../fleet/terminal.ts';

/** The flags by which an operator says which network they mean. */
export function withNetwork<T>(yargs: Argv<T>) {
  return yargs
    .option('network', {
      type: 'string',
      requiresArg: true,
      describe: 'the network that is meant; must be that of the inventory',
    })
    .option('confirm-network', {
      type: 'string',
      requiresArg: true,
      describe: 'its name again, in place of the question for one called prod, live or main',
    });
}

/** Asks the person at the terminal where that is needed; see `confirmNetwork`. */
export async function confirmNetworkOf(
  inventory: Inventory,
  flags: { readonly network?: string | undefined; readonly confirmNetwork?: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  await confirmNetwork(inventory, flags, terminalHere(), signal);
}
