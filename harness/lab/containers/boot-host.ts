import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { FaultError } from '../../../kit/errors.ts';
import type { LabHost } from './lab-plan.ts';
import { OVERLAY_SOURCE } from './lab-remains.ts';
import type { ProcessId } from './lab-state.ts';
import { identifyProcess } from './process-id.ts';
import { SYSTEM_PATH } from './system-command.ts';

/**
 * Carries a host, as the power supply and the hypervisor of a server do. It enters the host's control groups first, so
 * that it is found by them; its mounts are in a namespace of its own and end with it. 133 is nspawn's word for a host
 * that reboots. Arguments: disk, scratch, root, namespace, machine, host name, control groups.
 */
const SUPERVISOR = `
set -eu
disk=$1 scratch=$2 root=$3 namespace=$4 machine=$5 hostname=$6; shift 6
for group; do echo $$ > "$group/cgroup.procs"; done
mount -t overlay ${OVERLAY_SOURCE} -o "lowerdir=/,upperdir=$disk,workdir=$scratch" "$root"
while :; do
  status=0
  systemd-nspawn --quiet --directory="$root" --network-namespace-path="$namespace" --machine="$machine" \\
    --hostname="$hostname" --register=no --keep-unit --boot --capability=CAP_NET_ADMIN --console=pipe || status=$?
  [ "$status" -eq 133 ] || exit "$status"
done`;

/** nspawn's own locks stay behind in /run when it is killed; the lab has one, and its control groups. */
const ENVIRONMENT = { PATH: SYSTEM_PATH, SYSTEMD_NSPAWN_LOCK: '0' };

/**
 * Switches a host on and gives the process that carries it, which outlives this one. The host has the rights of
 * nspawn's default and those over its own network; its clock is the machine's, and it may not set it.
 */
export async function bootHost(host: LabHost, groups: readonly string[]): Promise<ProcessId> {
  const scratch = join(host.dir, 'scratch'); // overlayfs moves files through it; on the file system of the disk
  const root = join(host.dir, 'root');
  for (const dir of [scratch, root]) await mkdir(dir, { recursive: true });
  const log = await open(host.consoleLog, 'w', 0o600);
  try {
    const child = spawn(
      'unshare',
      [
        ...['--mount', '--propagation', 'slave', 'sh', '-c', SUPERVISOR, 'meshproof-lab-host'],
        ...[host.disk, scratch, root, `/run/netns/${host.machine}`, host.machine, host.name, ...groups],
      ],
      { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/', env: ENVIRONMENT },
    );
    await once(child, 'spawn');
    child.unref();
    const process = child.pid === undefined ? undefined : await identifyProcess(child.pid);
    if (process !== undefined) return process;
    throw new FaultError(
      'LAB_BOOT',
      `${host.name} ended as soon as it was switched on; see ${host.consoleLog}`,
    );
  } finally {
    await log.close();
  }
}
