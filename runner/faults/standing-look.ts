import type { Intents } from './intents.ts';
import type { NetworkFaults } from './network-fault.ts';
import type { OwnTable } from './nft-read.ts';
import { isOfProcess, type ProcessFaults } from './process-fault.ts';
import type { LeaseKey, Standing } from './protocol.ts';
import type { UndoTimers } from './undo-timers.ts';

interface Modules {
  readonly network: NetworkFaults;
  readonly processes: ProcessFaults;
  /** Null where systemd does not run. */
  readonly timers: UndoTimers | null;
  readonly intents: Intents;
}

const NOBODY = { run_id: null, lease_id: null } as const;

/**
 * What of ours stands on this host, of any run and version: the kernel's tables and qdiscs, systemd's timers, and the
 * services that we paused or stopped. Notes alone never make it clean; they only tell which services to look at.
 */
export async function lookAtStanding(modules: Modules): Promise<readonly Standing[]> {
  const [tables, devices, timers, services] = await Promise.all([
    modules.network.tables(),
    modules.network.devices(),
    modules.timers?.all() ?? [],
    servicesHeld(modules),
  ]);
  const shape = tables.find((table) => table.kind === 'shape' && table.inForce);
  return [
    ...tables.map(describeTable),
    ...devices.map((device) => ({
      ...named(shape?.lease ?? null),
      what: `qdisc prio with netem on ${device}`,
      in_force: shape !== undefined,
      matched_packets: null,
    })),
    // An armed timer is a fault that nobody has undone, as far as it can tell.
    ...timers.map(({ unit, lease }) => ({
      ...named(lease),
      what: `timer ${unit}`,
      in_force: true,
      matched_packets: null,
    })),
    ...services,
  ];
}

async function servicesHeld({ intents, processes }: Modules): Promise<readonly Standing[]> {
  const { intents: notes, unreadable } = await intents.all();
  const held = notes.map(async ({ lease, started_usec }): Promise<readonly Standing[]> => {
    if (!isOfProcess(lease) || !(await processes.isInForce(lease, started_usec))) return [];
    const what = `${lease.unit} ${lease.kind === 'pause' ? 'paused' : 'stopped'}`;
    return [{ ...named(lease), what, in_force: true, matched_packets: null }];
  });
  return [
    ...(await Promise.all(held)).flat(),
    ...unreadable.map(({ file, why }) => ({
      ...NOBODY,
      what: `unreadable note ${file}: ${why}`,
      in_force: true,
      matched_packets: null,
    })),
  ];
}

function describeTable({ family, name, kind, lease, inForce, matchedPackets }: OwnTable): Standing {
  const what = `nft table ${family} ${name}${kind === 'unknown' ? '' : ` (${kind})`}`;
  return { ...named(lease), what, in_force: inForce, matched_packets: matchedPackets };
}

function named(lease: LeaseKey | null): Pick<Standing, 'run_id' | 'lease_id'> {
  return lease === null ? NOBODY : { run_id: lease.run_id, lease_id: lease.lease_id };
}
