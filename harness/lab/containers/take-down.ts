import { rmdir } from 'node:fs/promises';
import { until } from '../../../kit/deadline.ts';
import { codeOf, FaultError } from '../../../kit/errors.ts';
import type { ControlGroups } from './control-groups.ts';
import { findLeader } from './host-leader.ts';
import { pidsInNamespace, removeNamespace, unplug } from './lab-network.ts';
import type { LabHost, LabPlan } from './lab-plan.ts';
import { describeRemains, findRemains } from './lab-remains.ts';
import { readProc } from './process-id.ts';
import { systemCommand } from './system-command.ts';

const POWER_OFF_BUDGET_MS = 4_000;
const KILL_BUDGET_MS = 6_000;
const POLL_MS = 25;

/**
 * Removes a host from the bridge as well, so that another can take its place at once: the kernel would remove its end
 * of the cable with the namespace, but in its own time.
 */
export async function removeMachine(
  plan: LabPlan,
  host: Pick<LabHost, 'machine' | 'name'>,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<void> {
  const { machine, name } = host;
  await switchOff(machine, groups, signal);
  const { namespaces, propagationDirs } = await findRemains(plan, groups, signal);
  await unplug(plan, name, signal);
  if (namespaces.includes(machine)) await closeNamespace(machine, signal);
  for (const dir of propagationDirs) if (dir.endsWith(`/${machine}`)) await removeDir(dir);
}

/**
 * Switches a host off as by pulling its plug: the kernel ends all that ran in it, and nspawn clears up behind itself. What
 * has no systemd is just ended.
 * @throws FaultError `LAB_LEFTOVERS` when a process outlives SIGKILL
 */
export async function switchOff(machine: string, groups: ControlGroups, signal: AbortSignal): Promise<void> {
  const leader = await findLeader(groups, machine);
  if (leader !== undefined) {
    end(leader);
    await untilNone(() => groups.pidsOf(machine), POWER_OFF_BUDGET_MS, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (codeOf(error) !== 'DEADLINE_EXCEEDED') throw error; // else: what is left is ended below
    });
  }
  await endAll(machine, () => groups.pidsOf(machine), signal);
  await groups.remove(machine);
}

/** Ends what still speaks through a namespace, and removes it. */
async function closeNamespace(name: string, signal: AbortSignal): Promise<void> {
  await endAll(name, () => pidsInNamespace(name, signal), signal);
  await removeNamespace(name, signal);
}

/**
 * Removes all of a lab but its directory, and looks whether anything is left.
 * @throws FaultError `LAB_LEFTOVERS` naming what is
 */
export async function takeDown(plan: LabPlan, groups: ControlGroups, signal: AbortSignal): Promise<void> {
  const found = await findRemains(plan, groups, signal);
  for (const point of found.mounts) await systemCommand(['umount', '--lazy', point], { signal });
  await Promise.all(found.machines.map((machine) => switchOff(machine, groups, signal)));
  await Promise.all(found.namespaces.map((name) => closeNamespace(name, signal)));
  for (const dir of (await findRemains(plan, groups, signal)).propagationDirs) await removeDir(dir);
  const left = describeRemains(await findRemains(plan, groups, signal));
  if (left.length === 0) return;
  throw new FaultError(
    'LAB_LEFTOVERS',
    `the lab in ${plan.dir} could not be removed whole: ${left.join('; ')}`,
    {
      details: { left: [...left] },
    },
  );
}

async function endAll(
  what: string,
  list: () => Promise<readonly number[]>,
  signal: AbortSignal,
): Promise<void> {
  for (const pid of await list()) end(pid);
  try {
    await untilNone(
      async () => {
        const pids = await list();
        for (const pid of pids) end(pid); // one that was just being started when we looked first
        return pids;
      },
      KILL_BUDGET_MS,
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    const left = await list();
    throw new FaultError('LAB_LEFTOVERS', `${what}: processes outlive SIGKILL: ${left.join(' ')}`, {
      cause: error,
    });
  }
}

async function untilNone(
  list: () => Promise<readonly number[]>,
  budgetMs: number,
  signal: AbortSignal,
): Promise<void> {
  await until('every process to end', async () => ((await anyAlive(await list())) ? undefined : true), {
    budgetMs,
    everyMs: POLL_MS,
    signal,
  });
}

/** nspawn may have been faster. */
async function removeDir(dir: string): Promise<void> {
  await rmdir(dir).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}

/** A zombie holds nothing any more; its parent will collect it. */
async function anyAlive(pids: readonly number[]): Promise<boolean> {
  const states = await Promise.all(pids.map((pid) => readProc(`/proc/${pid}/status`)));
  return states.some((status) => status !== undefined && !/^State:\s+[ZX]/m.test(status));
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
