import { constants } from 'node:fs';
import { access, mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { FaultError, UsageError } from '../../../kit/errors.ts';
import { checkInotify } from './inotify.ts';
import { SYSTEM_PATH, whyNot } from './system-command.ts';

/** Program → the Debian and Ubuntu package that brings it. */
const PACKAGES: Readonly<Record<string, string>> = {
  flock: 'util-linux',
  ip: 'iproute2',
  mount: 'mount',
  nft: 'nftables', // for the faults that hosts are to suffer
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  'ssh-keygen': 'openssh-client',
  sshd: 'openssh-server',
  'systemd-nspawn': 'systemd-container',
  unshare: 'util-linux',
};

const MIB = 1_048_576;
const MIB_PER_HOST = 16; // 9 after the first start, measured on Debian 12: a journal of 8 and the keys
const BRIDGE_TRIAL = 'ip link add br0 type bridge && ip link add port0 type veth peer name port1';
/** Arguments: disk, scratch, root. The host must see systemd and sshd, which `/` lacks where `/usr` is mounted. */
const OVERLAY_TRIAL = `
mount -t overlay meshproof-lab -o "lowerdir=/,upperdir=$1,workdir=$2" "$3" || exit 3
[ -x "$3/usr/lib/systemd/systemd" ] || [ -x "$3/lib/systemd/systemd" ] || { echo "systemd is not on the file system of /" >&2; exit 4; }
[ -x "$3/usr/sbin/sshd" ] || { echo "/usr/sbin/sshd is not on the file system of /" >&2; exit 4; }`;

/** @throws UsageError `LAB_NEEDS_ROOT` */
export function checkRoot(): void {
  if (process.platform !== 'linux') {
    throw new UsageError(
      'LAB_NEEDS_LINUX',
      `a lab of systemd machines needs Linux; this is ${process.platform}`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new UsageError(
      'LAB_NEEDS_ROOT',
      'a lab of systemd machines needs root: run it with sudo; `run --local N` needs no root',
    );
  }
}

/**
 * Tries out what a lab in `dir` needs of this machine to start `hosts` hosts, without leaving anything behind.
 * @throws UsageError `LAB_NEEDS_ROOT`
 * @throws FaultError `LAB_NEEDS`: what is missing, and the command that brings it
 */
export async function checkLabNeeds(
  { dir, hosts }: { readonly dir: string; readonly hosts: number },
  signal: AbortSignal,
): Promise<void> {
  checkRoot();
  const programs = await missingPrograms();
  if (programs.length > 0) {
    const packages = [...new Set(programs.map((program) => PACKAGES[program] ?? program))].sort();
    throw new FaultError(
      'LAB_NEEDS',
      `not installed: ${programs.join(', ')}; \`apt-get install ${packages.join(' ')}\` brings what is missing`,
      { details: { programs: [...programs], packages } },
    );
  }
  await checkInotify(hosts);
  await checkRoom(dir, hosts);
  await tryOut(
    'network namespaces with veth and bridge',
    ['unshare', '--net', 'sh', '-c', BRIDGE_TRIAL],
    signal,
  );
  const trial = join(dir, 'trial');
  const layers = ['disk', 'scratch', 'root'].map((name) => join(trial, name));
  for (const layer of layers) await mkdir(layer, { recursive: true });
  try {
    const script = ['--propagation', 'slave', 'sh', '-c', OVERLAY_TRIAL, 'trial', ...layers];
    await tryOut(
      `overlay mounts of / with their upper layer in ${dir} (a directory on ext4, xfs, btrfs or tmpfs: see --dir)`,
      ['unshare', '--mount', ...script],
      signal,
    );
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

async function checkRoom(dir: string, hosts: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const freeMib = Math.floor((bavail * bsize) / MIB);
  const neededMib = hosts * MIB_PER_HOST;
  if (freeMib >= neededMib) return;
  throw new FaultError(
    'LAB_NEEDS',
    `${dir} has ${freeMib} MiB free: expected ${neededMib}, ${MIB_PER_HOST} for each host, and more for what is deployed to them`,
    { details: { dir, free_mib: freeMib, needed_mib: neededMib } },
  );
}

async function tryOut(what: string, argv: [string, ...string[]], signal: AbortSignal): Promise<void> {
  const why = await whyNot(argv, signal);
  if (why !== undefined) throw new FaultError('LAB_NEEDS', `this machine does not offer ${what}: ${why}`);
}

async function missingPrograms(): Promise<readonly string[]> {
  const missing = await Promise.all(
    Object.keys(PACKAGES).map(async (program) => ((await isInstalled(program)) ? [] : [program])),
  );
  return missing.flat();
}

async function isInstalled(program: string): Promise<boolean> {
  const found = SYSTEM_PATH.split(':').map((dir) =>
    access(join(dir, program), constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}
