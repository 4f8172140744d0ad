import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { UsageError } from '../../../kit/errors.ts';

export const HOSTS_MAX = 200; // one /24 with room for the gateway; each host also costs about 60 MB
const FIRST_HOST_BYTE = 11; // lab1 is .11: the low addresses stay free for the lab's own side
const CITIES = ['nyc', 'sfo', 'helsinki', 'nuremberg', 'singapore', 'sydney'] as const;
/** The kernel splits the options of an overlay mount at these, and a shell or a unit file at others. */
const SAFE_DIR = /^\/[A-Za-z0-9/._-]+$/;

/** One machine of a lab: every name and place that belongs to it, so that clean-up needs no memory. */
export interface LabHost {
  readonly name: string;
  readonly region: string;
  /** Its machine name, network namespace and control group. */
  readonly machine: string;
  readonly address: string;
  readonly address6: string;
  /** Of its network card: the same whenever it is started, or its neighbours would look for it in vain for 30 s. */
  readonly mac: string;
  readonly dir: string;
  /** Where its changes to the lab's root file system are kept: the upper layer of the overlay. */
  readonly disk: string;
  readonly consoleLog: string;
}

/** A lab as pure data: all of it follows from the directory and the number of hosts. */
export interface LabPlan {
  readonly id: string;
  readonly dir: string;
  /** Every namespace, control group and machine of this lab begins with it, and nothing else does. */
  readonly prefix: string;
  /** The namespace of the bridge; connections to the hosts start here. */
  readonly network: string;
  readonly gateway: string;
  readonly gateway6: string;
  readonly gatewayMac: string;
  /** The control group of the process that carries packets between hosts, where the kernel has no netem. */
  readonly routerGroup: string;
  readonly routerLog: string;
  readonly stateFile: string;
  readonly inventoryFile: string;
  readonly keyFile: string;
  readonly hosts: readonly LabHost[];
}

/**
 * Lays a lab out. Labs in different directories share nothing, also when their subnets should be equal: every lab has
 * a bridge of its own in a namespace of its own.
 * @param dir absolute path, symbolic links resolved
 * @throws UsageError `LAB_DIR` when a mount could not name the directory
 */
export function planLab(dir: string, hostCount: number): LabPlan {
  if (!SAFE_DIR.test(dir)) {
    throw new UsageError(
      'LAB_DIR',
      `lab directory "${dir}": expected an absolute path of letters, digits, ".", "_" and "-"`,
    );
  }
  const digest = createHash('sha256').update(dir).digest();
  const id = digest.toString('hex', 0, 4);
  const subnet = `10.213.${digest.readUInt8(4)}`;
  const subnet6 = `fd${digest.toString('hex', 5, 6)}:${digest.toString('hex', 6, 8)}:${digest.toString('hex', 8, 10)}:`;
  const prefix = `mplab-${id}-`;
  return {
    id,
    dir,
    prefix,
    network: `${prefix}net`,
    gateway: `${subnet}.1`,
    gateway6: `${subnet6}:1`,
    gatewayMac: macOf(id, 1),
    routerGroup: `${prefix}links`,
    routerLog: join(dir, 'links.log'),
    stateFile: join(dir, 'lab.json'),
    inventoryFile: join(dir, 'inventory.toml'),
    keyFile: join(dir, 'id_ed25519'),
    hosts: Array.from({ length: hostCount }, (_, index) => {
      const name = `lab${index + 1}`;
      const home = join(dir, 'hosts', name);
      return {
        name,
        region: CITIES[index % CITIES.length] ?? CITIES[0],
        machine: `${prefix}${name}`,
        address: `${subnet}.${FIRST_HOST_BYTE + index}`,
        address6: `${subnet6}:${(FIRST_HOST_BYTE + index).toString(16)}`,
        mac: macOf(id, FIRST_HOST_BYTE + index),
        dir: home,
        disk: join(home, 'disk'),
        consoleLog: join(home, 'console.log'),
      };
    }),
  };
}

/** `02:` is an address that its owner gave itself (IEEE 802, locally administered). */
function macOf(id: string, lastByte: number): string {
  return `02${id}${lastByte.toString(16).padStart(2, '0')}`.replace(/..(?!$)/g, '$&:');
}
