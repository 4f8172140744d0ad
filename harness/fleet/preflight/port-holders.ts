import { missing, type Observation, seen } from '../../../proofs/observation.ts';

/** A port that is taken. */
export interface PortHolder {
  readonly protocol: 'udp' | 'tcp';
  readonly port: number;
  /** Null when it could not be told, as without root. */
  readonly pid: number | null;
  readonly name: string | null;
  /** Whether it is a process of a unit that meshproof deployed. */
  readonly isOurs: boolean;
}

const TCP_LISTEN = '0A';

/**
 * Every bound UDP port and listening TCP port with its process: the kernel's socket tables name inodes, the open files
 * of the processes name their owners.
 */
export function portHolders(
  sections: ReadonlyMap<string, string>,
  ours: ReadonlySet<number>,
): Observation<readonly PortHolder[]> {
  const [udp, tcp] = [sections.get('udp'), sections.get('tcp')];
  if (!udp?.includes('local_address') || !tcp?.includes('local_address')) {
    return missing('unreadable', 'the socket tables of the kernel were not shown');
  }
  const owners = readOwners(sections.get('sockets') ?? '');
  const names = readNames(sections.get('processes_before') ?? '');
  const holders = new Map<string, PortHolder>();
  for (const { protocol, port, inode } of [...readTable('udp', udp), ...readTable('tcp', tcp)]) {
    const pid = owners.get(inode) ?? null;
    const name = pid === null ? null : (names.get(pid) ?? null);
    holders.set(`${protocol}/${port}/${pid}`, {
      protocol,
      port,
      pid,
      name,
      isOurs: pid !== null && ours.has(pid),
    });
  }
  return seen([...holders.values()]);
}

function readTable(protocol: 'udp' | 'tcp', text: string) {
  return text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const [, local, , state, , , , , , inode] = columns;
    const hexPort = /^[0-9A-F]+:([0-9A-F]{4})$/.exec(local ?? '')?.[1];
    if (hexPort === undefined || inode === undefined) return []; // the heading
    if (protocol === 'tcp' && state !== TCP_LISTEN) return [];
    return [{ protocol, port: Number.parseInt(hexPort, 16), inode }];
  });
}

/** `ls -l /proc/PID/fd`: a line per directory, then its entries. */
function readOwners(text: string): ReadonlyMap<string, number> {
  const owners = new Map<string, number>();
  let pid = 0;
  for (const line of text.split('\n')) {
    const directory = /^\/proc\/(\d+)\/fd:$/.exec(line)?.[1];
    if (directory !== undefined) pid = Number(directory);
    const inode = /socket:\[(\d+)\]$/.exec(line)?.[1];
    if (inode !== undefined) owners.set(inode, pid);
  }
  return owners;
}

function readNames(text: string): ReadonlyMap<number, string> {
  return new Map([...text.matchAll(/^(\d+) \((.*)\) /gm)].map(([, pid, name]) => [Number(pid), name ?? '']));
}
