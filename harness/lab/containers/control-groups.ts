import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../../kit/deadline.ts';
import { codeOf, FaultError } from '../../../kit/errors.ts';
import { readProc } from './process-id.ts';

const REMOVE_BUDGET_MS = 3_000;

/**
 * Where control groups are made that systemd in a container needs: the unified hierarchy, and systemd's own one where
 * the machine still has the first version. Read from `/proc/self/mountinfo`.
 */
export function findHierarchies(mountinfo: string): readonly string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [mount = '', filesystem = ''] = line.split(' - ');
    const [root, point] = mount.split(' ').slice(3, 5);
    if (point === undefined || root !== '/') return [];
    const [kind, , options = ''] = filesystem.split(' ');
    const fits = kind === 'cgroup2' || (kind === 'cgroup' && options.split(',').includes('name=systemd'));
    return fits ? [point] : [];
  });
}

/**
 * The control groups of one lab, directly below the root of each hierarchy. A host's processes are exactly those in
 * its group, whatever becomes of the process that started it; two systemds in one group would stop each other's units.
 */
export class ControlGroups {
  readonly #hierarchies: readonly string[];

  private constructor(hierarchies: readonly string[]) {
    this.#hierarchies = hierarchies;
  }

  /** @throws FaultError `LAB_CGROUPS` where the machine has no control groups mounted */
  static async find(): Promise<ControlGroups> {
    const hierarchies = findHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
    if (hierarchies.length > 0) return new ControlGroups(hierarchies);
    throw new FaultError(
      'LAB_CGROUPS',
      'no control groups are mounted; `mount -t cgroup2 none /sys/fs/cgroup` does it',
    );
  }

  /** Makes the group of a machine and gives its directories; a process enters by writing its pid to `cgroup.procs`. */
  async make(machine: string): Promise<readonly string[]> {
    const groups = this.#hierarchies.map((hierarchy) => join(hierarchy, machine));
    for (const group of groups) await mkdir(group, { recursive: true });
    return groups;
  }

  /** The groups whose name begins with `prefix`. */
  async list(prefix: string): Promise<readonly string[]> {
    const found = await Promise.all(
      this.#hierarchies.map(async (hierarchy) =>
        (await readdir(hierarchy))
          .filter((name) => name.startsWith(prefix))
          .map((name) => join(hierarchy, name)),
      ),
    );
    return found.flat();
  }

  /** The pids in the group of a machine and below it. */
  async pidsOf(machine: string): Promise<readonly number[]> {
    const pids = new Set<number>();
    for (const hierarchy of this.#hierarchies) {
      for (const group of await groupsBelow(join(hierarchy, machine))) {
        const listed = (await readProc(join(group, 'cgroup.procs'))) ?? '';
        for (const line of listed.split('\n')) if (line !== '' && line !== '0') pids.add(Number(line));
      }
    }
    return [...pids];
  }

  /** Removes the empty groups of a machine. */
  async remove(machine: string): Promise<void> {
    for (const hierarchy of this.#hierarchies) {
      const deepestFirst = [...(await groupsBelow(join(hierarchy, machine)))].reverse();
      for (const group of deepestFirst) await removeGroup(group);
    }
  }
}

/** The kernel refuses for as long as a process that has ended is being cleared away. */
async function removeGroup(group: string): Promise<void> {
  const tried = () =>
    rmdir(group).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) === 'EBUSY') return undefined;
        if (codeOf(error) === 'ENOENT') return true; // systemd's own clean-up was faster
        throw error;
      },
    );
  await until(`${group} to be removed`, tried, { budgetMs: REMOVE_BUDGET_MS, everyMs: 20 });
}

/** The group and all below it, parents before children; empty when it is not there. */
async function groupsBelow(group: string): Promise<readonly string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (entries === undefined) return [];
  const children = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => groupsBelow(join(group, name)));
  return [group, ...(await Promise.all(children)).flat()];
}
