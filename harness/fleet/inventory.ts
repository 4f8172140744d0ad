import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { codeOf, messageOf, UsageError } from '../../kit/errors.ts';
import { parseToml } from '../../kit/toml.ts';
import { type InventoryFile, inventoryFileSchema, type ROLES } from './inventory-schema.ts';

/** What the user proves to sshd that they are: a private key in a file, or whatever the SSH agent holds. */
export type SshIdentity = { readonly keyFile: string } | { readonly agent: true };

/** How sshd on one machine is reached. */
export interface SshTarget {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly identity: SshIdentity;
  /** `SHA256:…` of the host key that is expected; null is refused when connecting. */
  readonly hostKey: string | null;
  /** A program and its arguments whose standard streams lead to sshd, `{host}` and `{port}` filled in; null without. */
  readonly proxyCommand: readonly string[] | null;
  /** The machine through which this one is reached; null when it is reached directly. */
  readonly jump: SshTarget | null;
}

/** A machine of the fleet and what of the mesh it carries. */
export interface InventoryHost {
  readonly name: string;
  readonly region: string | null;
  readonly ssh: SshTarget;
  /** Where the other nodes reach this one, with `udpPort`. */
  readonly meshAddress: string;
  readonly udpPort: number;
  /** TCP on the host's loopback. */
  readonly apiPort: number;
  readonly runnerPort: number;
  readonly roles: readonly (typeof ROLES)[number][];
}

/** The machines of a network, as an operator wrote them down. */
export interface Inventory {
  /** The file it came from, for messages. */
  readonly source: string;
  readonly network: string;
  /** Where the machines stand ("lab", "staging"…); a run that breaks things must name the same. */
  readonly environment: string;
  /** Where the lab is whose machines these hosts are; null for machines of their own. */
  readonly labDir: string | null;
  readonly hosts: readonly InventoryHost[];
  /** Machines that are only passed through. */
  readonly jumps: readonly SshTarget[];
}

/** @throws UsageError `INVENTORY_UNREADABLE`, `TOML_SYNTAX`, `TOML_VALUE` */
export async function readInventory(file: string): Promise<Inventory> {
  try {
    return parseInventory(await readFile(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const why = codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`;
    throw new UsageError('INVENTORY_UNREADABLE', `${file}: the inventory ${why}`, {
      details: { file },
      cause: error,
    });
  }
}

/**
 * Reads an inventory. Paths of keys and of a lab are relative to the directory of `source`; `~/` is the home directory.
 * @throws UsageError `TOML_SYNTAX`, `TOML_VALUE`
 */
export function parseInventory(text: string, source: string): Inventory {
  const file = parseToml(text, source, inventoryFileSchema);
  const entries = new Map([...file.jump, ...file.host].map((entry) => [entry.name, entry]));
  const targetOf = (entry: InventoryFile['jump'][number]): SshTarget => {
    const { key, jump } = entry;
    const next = jump === undefined ? undefined : entries.get(jump);
    return {
      name: entry.name,
      address: entry.address,
      port: entry.port,
      user: entry.user,
      identity: key === undefined ? { agent: true } : { keyFile: pathBeside(source, key) },
      hostKey: entry.host_key ?? null,
      proxyCommand: entry.proxy_command ?? null,
      jump: next === undefined ? null : targetOf(next),
    };
  };
  return {
    source,
    network: file.network,
    environment: file.environment,
    labDir: file.lab === undefined ? null : pathBeside(source, file.lab.dir),
    jumps: file.jump.map(targetOf),
    hosts: file.host.map((entry) => ({
      name: entry.name,
      region: entry.region ?? null,
      ssh: targetOf(entry),
      meshAddress: entry.mesh_address ?? entry.address,
      udpPort: entry.udp_port,
      apiPort: entry.api_port,
      runnerPort: entry.runner_port,
      roles: entry.roles,
    })),
  };
}

/** The hosts that carry a node: all but the spare ones. */
export function meshHosts({ hosts }: Pick<Inventory, 'hosts'>): readonly InventoryHost[] {
  return hosts.filter(({ roles }) => !roles.includes('spare'));
}

/** The host with the role `anchor`, or else the first that carries a node. */
export function anchorHost(inventory: Pick<Inventory, 'hosts'>): InventoryHost | undefined {
  const hosts = meshHosts(inventory);
  return hosts.find(({ roles }) => roles.includes('anchor')) ?? hosts[0];
}

/**
 * The hosts called `names`, in the order of the inventory.
 * @throws UsageError `HOST_NOT_LISTED` for a name that the inventory does not have
 */
export function pickHosts({ hosts, source }: Inventory, names: readonly string[]): readonly InventoryHost[] {
  const listed = hosts.map(({ name }) => name);
  const stranger = names.find((name) => !listed.includes(name));
  if (stranger !== undefined) throw notListed(source, stranger, listed);
  return hosts.filter(({ name }) => names.includes(name));
}

/**
 * How the host or jump host called `name` is reached.
 * @throws UsageError `HOST_NOT_LISTED`
 */
export function findTarget({ hosts, jumps, source }: Inventory, name: string): SshTarget {
  const targets = [...hosts.map(({ ssh }) => ssh), ...jumps];
  const found = targets.find((target) => target.name === name);
  if (found !== undefined) return found;
  throw notListed(
    source,
    name,
    targets.map((target) => target.name),
  );
}

function notListed(source: string, name: string, known: readonly string[]): UsageError {
  return new UsageError('HOST_NOT_LISTED', `${source} has no host "${name}": expected ${known.join(', ')}`, {
    details: { file: source, host: name, known },
  });
}

function pathBeside(source: string, path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(dirname(source), path);
}
