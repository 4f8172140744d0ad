import { UsageError } from '../../kit/errors.ts';
import type { Inventory } from './inventory.ts';
import type { Terminal } from './terminal.ts';

/** Networks on which people depend. Soaks ran against one by mistake, since scripts took it when none was named. */
const GUARDED = /^(?:prod|production|live|main|mainnet)(?:[-_.].*)?$/i;

/** What the operator said on the command line; undefined where nothing. */
interface NetworkFlags {
  /** `--network NAME` */
  readonly network?: string | undefined;
  /** `--confirm-network NAME` */
  readonly confirmNetwork?: string | undefined;
}

/** Whether commands ask before they touch this network. */
export function isGuarded(network: string): boolean {
  return GUARDED.test(network);
}

/**
 * Makes sure that the operator means the network of this inventory. A name on the command line must be its name; one
 * that people depend on must be named, and confirmed by `--confirm-network` or by a phrase typed at the terminal.
 * @throws UsageError `NETWORK_MISMATCH`, `NETWORK_NOT_NAMED`, `NETWORK_NOT_CONFIRMED`; the reason of `signal`
 */
export async function confirmNetwork(
  { network, source, hosts }: Pick<Inventory, 'network' | 'source' | 'hosts'>,
  flags: NetworkFlags,
  terminal: Terminal | null,
  signal: AbortSignal,
): Promise<void> {
  for (const [flag, said] of [
    ['--network', flags.network],
    ['--confirm-network', flags.confirmNetwork],
  ] as const) {
    if (said !== undefined && said !== network) {
      throw refusal(
        'NETWORK_MISMATCH',
        `${flag} is "${said}", but ${source} is of network "${network}"`,
        network,
      );
    }
  }
  if (!isGuarded(network)) return;
  if (flags.network === undefined) {
    const say = `name it: --network ${network}`;
    throw refusal('NETWORK_NOT_NAMED', `${source} is of network "${network}": ${say}`, network);
  }
  if (flags.confirmNetwork !== undefined) return;
  if (terminal === null) {
    const say = `say --confirm-network ${network}, or answer at a terminal`;
    throw refusal('NETWORK_NOT_CONFIRMED', `network "${network}" is guarded: ${say}`, network);
  }
  const phrase = `touch ${network}`;
  const machines = `${hosts.length} host${hosts.length === 1 ? '' : 's'}`;
  const answer = await terminal.ask(
    `${source}: ${machines} of network "${network}". Type "${phrase}": `,
    signal,
  );
  if (answer === phrase) return;
  throw refusal('NETWORK_NOT_CONFIRMED', `network "${network}" was not confirmed: nothing was done`, network);
}

function refusal(code: string, message: string, network: string): UsageError {
  return new UsageError(code, message, { details: { network } });
}
