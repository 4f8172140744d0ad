import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlGroups } from './control-groups.ts';
import { listNamespaces, pidsInNamespace } from './lab-network.ts';
import type { LabPlan } from './lab-plan.ts';

/** Where nspawn keeps a mount point per machine; it cannot remove it where `/run` is on a disk. */
const NSPAWN_PROPAGATE = '/run/systemd/nspawn/propagate';

/** What the supervisor of a host (`boot-host.ts`) mounts its disk from. */
export const OVERLAY_SOURCE = 'meshproof-lab';

/** All that a lab has on this machine outside of its directory. */
export interface LabRemains {
  readonly machines: readonly string[];
  readonly namespaces: readonly string[];
  readonly controlGroups: readonly string[];
  readonly processes: readonly number[];
  readonly mounts: readonly string[];
  readonly propagationDirs: readonly string[];
}

/** Looks the machine over for what belongs to a lab, by name: no memory of what was made is needed. */
export async function findRemains(
  plan: LabPlan,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<LabRemains> {
  const [namespaces, controlGroups, mountinfo, propagationDirs] = await Promise.all([
    listNamespaces(plan.prefix, signal),
    groups.list(plan.prefix),
    readFile('/proc/self/mountinfo', 'utf8'),
    readdir(NSPAWN_PROPAGATE).catch((): string[] => []),
  ]);
  const machines = new Set([
    ...namespaces,
    ...controlGroups.map((path) => path.slice(path.lastIndexOf('/') + 1)),
  ]);
  machines.delete(plan.network);
  const processes = await Promise.all([
    ...[...machines].map((machine) => groups.pidsOf(machine)),
    ...namespaces.map((namespace) => pidsInNamespace(namespace, signal)),
  ]);
  return {
    machines: [...machines].sort(),
    namespaces,
    controlGroups,
    processes: [...new Set(processes.flat())],
    mounts: mountsBelow(mountinfo, plan.dir),
    propagationDirs: propagationDirs
      .filter((name) => name.startsWith(plan.prefix))
      .map((name) => join(NSPAWN_PROPAGATE, name)),
  };
}

/** Where hosts' disks are mounted below a directory, from `/proc/self/mountinfo`, innermost first; nobody else's mounts. */
export function mountsBelow(mountinfo: string, dir: string): readonly string[] {
  return mountinfo
    .split('\n')
    .filter((line) => line.includes(` - overlay ${OVERLAY_SOURCE} `))
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${dir}/`))
    .sort()
    .reverse();
}

/** One line per kind that is there; empty when nothing is. */
export function describeRemains(remains: LabRemains): readonly string[] {
  const { machines: _, ...kinds } = remains;
  return Object.entries(kinds)
    .filter(([, found]) => found.length > 0)
    .map(([kind, found]) => `${kind}: ${found.join(' ')}`);
}
