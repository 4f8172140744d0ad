import { dirname, join } from 'node:path';

/** A file of a host's own, or a link; everything else it sees is the machine's, or hidden. */
export type OwnFile =
  | { readonly path: string; readonly content: string; readonly mode: number }
  | { readonly path: string; readonly target: string };

/** What a host's disk holds from the beginning, parents before children. Paths are those of the host. */
export interface DiskPlan {
  /** Directories, to be made with the mode and owner that they have on the machine, where they are there. */
  readonly directories: readonly string[];
  readonly files: readonly OwnFile[];
  /** What is on the machine and not on the host. */
  readonly hidden: readonly string[];
}

/** The file system of the machine, as far as a plan asks: the names in a directory, empty when there is none. */
export type ListDirectory = (path: string) => readonly string[];

/** What the standard hierarchy (FHS 3.0) has below `/`, with what the kernel and ext4 put there. */
const STANDARD = [
  'bin',
  'boot',
  'dev',
  'etc',
  'home',
  'lib',
  'lib32',
  'lib64',
  'libx32',
  'lost+found',
  'media',
  'mnt',
  'opt',
  'proc',
  'root',
  'run',
  'sbin',
  'srv',
  'sys',
  'tmp',
  'usr',
  'var',
] as const;

/** Empty on a fresh server: what is here belongs to the people and the services of this machine. */
const EMPTIED = [
  '/boot',
  '/etc/init.d',
  ...['0', '1', '2', '3', '4', '5', '6', 'S'].map((level) => `/etc/rc${level}.d`),
  '/etc/ssh',
  '/etc/sysctl.d', // the host's settings are the network namespace's own
  '/etc/systemd/network',
  '/etc/systemd/system', // so that nothing is enabled but what the lab enables
  '/etc/systemd/system/multi-user.target.wants',
  '/etc/systemd/user',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/root/.ssh',
  '/srv',
  '/usr/local',
  '/usr/local/bin',
  '/usr/local/lib',
  '/usr/local/sbin',
  '/var/lib/systemd',
  '/var/log',
  '/var/spool/cron',
  '/var/tmp',
] as const;

/** Would be mounted or unlocked at the start, or would run what is to be deployed: the host must bring its own. */
const REMOVED = [
  '/etc/crypttab',
  '/etc/fstab',
  '/usr/bin/corepack',
  '/usr/bin/node',
  '/usr/bin/nodejs',
  '/usr/bin/npm',
  '/usr/bin/npx',
  '/usr/lib/node_modules',
  '/var/lib/dbus/machine-id', // made again from /etc/machine-id
] as const;

/**
 * Decides what a host sees of the machine it lives on: the installed system, and nothing of its users, its services or
 * the program under test.
 * @param alsoHidden further absolute paths: this program, the runtime it uses, the lab itself
 */
export function planDisk(
  own: readonly OwnFile[],
  alsoHidden: readonly string[],
  list: ListDirectory,
): DiskPlan {
  const files = own.map(({ path }) => path);
  const emptied = EMPTIED.filter(
    (path) => list(path).length > 0 || files.some((file) => isBelow(file, path)),
  );
  const kept = new Set([...files, ...files.flatMap(parentsOf), ...emptied]);
  const hidden = new Set<string>();
  for (const name of list('/')) if (!STANDARD.some((known) => known === name)) hidden.add(`/${name}`);
  for (const path of emptied) {
    for (const name of list(path)) if (!kept.has(join(path, name))) hidden.add(join(path, name));
  }
  for (const path of [...REMOVED, ...alsoHidden]) {
    if (list(dirname(path)).includes(path.slice(path.lastIndexOf('/') + 1))) hidden.add(path);
  }
  const outermost = [...hidden].filter((path) => !parentsOf(path).some((parent) => hidden.has(parent)));
  const directories = new Set([...outermost, ...files].flatMap(parentsOf));
  for (const path of emptied) directories.add(path);
  return {
    directories: [...directories].filter((path) => path !== '/').sort(),
    files: own,
    hidden: outermost.sort(),
  };
}

/** `/a/b/c` → `/`, `/a`, `/a/b` */
function parentsOf(path: string): readonly string[] {
  const parents: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    parents.unshift(at);
    if (at === '/') return parents;
  }
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}
