import { FaultError } from '../../kit/errors.ts';
import type { UndoStep } from './intents.ts';
import { isSameLease, tableOf } from './names.ts';
import { type OwnTable, ownTables } from './nft-read.ts';
import { applyScript, removeScript, renewScript } from './nft-script.ts';
import type { CutLease, LeaseKey, ShapeLease } from './protocol.ts';
import { type RunCommand, succeed } from './run-command.ts';
import { addRootArgv, deviceOfRoute, netemArgv, ownDevices, removeRootArgv, rootQdiscOf } from './tc-plan.ts';

type NetworkLease = CutLease | ShapeLease;

/** Faults of the network: nft tables whose addresses time out and, for shapes, a qdisc of ours that they choose. */
export class NetworkFaults {
  readonly #run: RunCommand;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  /**
   * How timers undo `lease`. Looks, touches nothing.
   * @throws FaultError `NO_ROUTE`, `FOREIGN_QDISC`, `SHAPE_TAKEN`
   */
  async plan(lease: NetworkLease): Promise<readonly UndoStep[]> {
    const removeTable = step(['nft', 'delete', 'table', 'inet', tableOf(lease)]);
    if (lease.kind === 'cut') return [removeTable];
    const other = (await this.tables()).find(
      (table) => table.kind === 'shape' && table.inForce && !(table.lease && isSameLease(table.lease, lease)),
    );
    if (other)
      throw new FaultError(
        'SHAPE_TAKEN',
        `a host carries one shape at a time, and ${other.name} is in force`,
      );
    const devices = await this.#devicesTo(lease.peers);
    const shown = await this.#showQdiscs();
    for (const device of devices) {
      const root = rootQdiscOf(shown, device);
      if (root.owner === 'foreign') {
        throw new FaultError('FOREIGN_QDISC', `${root.what} is not ours and will not be replaced`);
      }
    }
    return [removeTable, ...devices.map((device) => step(removeRootArgv(device)))];
  }

  /** The qdisc first: it is idle until the table sends packets into its fourth band. */
  async begin(lease: NetworkLease): Promise<void> {
    if (lease.kind === 'shape') {
      const shown = await this.#showQdiscs();
      for (const device of await this.#devicesTo(lease.peers)) {
        if (rootQdiscOf(shown, device).owner !== 'meshproof') await succeed(this.#run, addRootArgv(device));
        await succeed(this.#run, netemArgv(device, lease));
      }
    }
    await succeed(this.#run, ['nft', '-f', '-'], { input: applyScript(lease) });
  }

  /** False when an address has expired or the qdisc is gone: the lease is then lost, and its rest expires too. */
  async renew(lease: NetworkLease, ttlMs: number): Promise<boolean> {
    if (lease.kind === 'shape' && (await this.devices()).length === 0) return false;
    const { code, stderr } = await this.#run(['nft', '-f', '-'], { input: renewScript(lease, ttlMs) });
    if (code === 0) return true;
    if (/No such file or directory/.test(stderr)) return false;
    throw new FaultError(
      'COMMAND_FAILED',
      `nft cannot renew ${tableOf(lease)}: ${stderr.trim().split('\n')[0]}`,
    );
  }

  /** Ends the part of a lease that the network holds, there or not. */
  async end(key: LeaseKey): Promise<void> {
    await succeed(this.#run, ['nft', '-f', '-'], { input: removeScript(key) });
    await this.removeIdleQdiscs();
  }

  async removeTable({ family, name }: OwnTable): Promise<void> {
    await succeed(this.#run, ['nft', '-f', '-'], {
      input: `add table ${family} ${name}\ndelete table ${family} ${name}\n`,
    });
  }

  /** Takes our qdiscs off every device, unless a shape is in force. */
  async removeIdleQdiscs(): Promise<void> {
    const devices = await this.devices();
    if (devices.length === 0) return;
    if ((await this.tables()).some((table) => table.kind === 'shape' && table.inForce)) return;
    for (const device of devices) {
      const { code, stderr } = await this.#run(removeRootArgv(device));
      // The lease's own timer may have been a moment faster.
      if (code !== 0 && (await this.devices()).includes(device)) {
        throw new FaultError('COMMAND_FAILED', `cannot remove our qdisc from ${device}: ${stderr.trim()}`);
      }
    }
  }

  /** Every table of ours, of any run and version. Foreign ones are never read: they may be huge. */
  async tables(): Promise<readonly OwnTable[]> {
    const named = ownTables(await succeed(this.#run, ['nft', '-j', 'list', 'tables']));
    const read = named.map(async ({ family, name }) => {
      const { code, stdout, stderr } = await this.#run(['nft', '-j', 'list', 'table', family, name]);
      if (code === 0) return ownTables(stdout);
      if (/No such file or directory/.test(stderr)) return []; // it has ended meanwhile
      throw new FaultError('NFT_UNREADABLE', `cannot read table ${family} ${name}: ${stderr.trim()}`);
    });
    return (await Promise.all(read)).flat();
  }

  /** The devices that carry a qdisc of ours. */
  async devices(): Promise<readonly string[]> {
    return ownDevices(await this.#showQdiscs());
  }

  // For all devices: for a single one `tc` leaves its name out.
  async #showQdiscs(): Promise<string> {
    return await succeed(this.#run, ['tc', '-j', 'qdisc', 'show']);
  }

  async #devicesTo(peers: readonly string[]): Promise<readonly string[]> {
    const found = new Set<string>();
    for (const peer of peers) {
      const { stdout } = await this.#run(['ip', '-j', 'route', 'get', peer]);
      found.add(deviceOfRoute(stdout, peer));
    }
    return [...found];
  }
}

function step(argv: UndoStep['argv']): UndoStep {
  return { argv, env: {} };
}
