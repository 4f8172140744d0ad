import { existsSync } from 'node:fs';
import { mkdir, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../../kit/errors.ts';
import { ControlGroups } from './control-groups.ts';
import { type HostStatus, isUp, lookAtHost } from './host-status.ts';
import { lockLab } from './lab-lock.ts';
import { checkRoot } from './lab-needs.ts';
import { type LabHost, type LabPlan, planLab } from './lab-plan.ts';
import { describeRemains, findRemains } from './lab-remains.ts';
import { type LabState, readLabState, writeLabState } from './lab-state.ts';
import { takeDown } from './take-down.ts';

/** What `lab up` writes into its directory; the state goes last. */
const CONTENTS = [
  'hosts',
  'trial',
  'inventory.toml',
  'ssh_config',
  'known_hosts',
  'id_ed25519',
  'id_ed25519.pub',
  'lab.json',
] as const;

export interface LabHostStatus extends HostStatus {
  readonly host: LabHost;
  readonly supervisorPid: number | null;
}

export interface LabStatus {
  readonly plan: LabPlan;
  readonly stage: LabState['stage'];
  readonly verdict: 'up' | 'not up';
  readonly hosts: readonly LabHostStatus[];
}

/** The lab in `dir` as it was last written down; `undefined` when there is none. */
async function findLab(dir: string): Promise<{ plan: LabPlan; state: LabState } | undefined> {
  const real = await realDir(dir);
  const state = real === undefined ? undefined : await readLabState(join(real, 'lab.json'));
  return real === undefined || state === undefined
    ? undefined
    : { plan: planLab(real, state.host_count), state };
}

/** With its links resolved, as a lab is named by it; `undefined` when it is not there. */
async function realDir(dir: string): Promise<string | undefined> {
  return await realpath(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** @throws UsageError `NO_LAB` */
export async function openLab(dir: string): Promise<{ plan: LabPlan; state: LabState }> {
  const lab = await findLab(dir);
  if (lab !== undefined) return lab;
  throw new UsageError(
    'NO_LAB',
    `there is no lab in ${dir}: \`meshproof lab up\` makes one, --dir names another`,
  );
}

/** Looks at every host of a lab at once. */
export async function statusOfLab(dir: string, signal: AbortSignal): Promise<LabStatus> {
  checkRoot();
  const { plan, state } = await openLab(dir);
  const groups = await ControlGroups.find();
  const hosts = await Promise.all(
    plan.hosts.map(async (host) => ({
      host,
      supervisorPid: state.hosts[host.name]?.supervisor.pid ?? null,
      ...(await lookAtHost(plan, host, groups, signal)),
    })),
  );
  return { plan, stage: state.stage, verdict: hosts.every(isUp) ? 'up' : 'not up', hosts };
}

/**
 * Removes the lab in `dir` and what it wrote there. Gives `none` when there is nothing to remove. A state that is damaged,
 * or a directory that somebody emptied, is no reason to leave hosts running: all that is removed is found by name.
 * @throws FaultError `LAB_LEFTOVERS` naming what could not be removed
 */
export async function lowerLab(dir: string, signal: AbortSignal): Promise<'removed' | 'none'> {
  checkRoot();
  const real = await realDir(dir);
  const plan = planLab(real ?? dir, 0);
  const groups = await ControlGroups.find();
  if (!existsSync(plan.stateFile)) {
    const remains = describeRemains(await findRemains(plan, groups, signal));
    if (remains.length === 0) return 'none';
  }
  await using _ = real === undefined ? undefined : await lockLab(real, { signal });
  const state = await readLabState(plan.stateFile).catch(() => undefined);
  if (state !== undefined) await writeLabState(plan, { ...state, stage: 'lowering' });
  await takeDown(plan, groups, signal);
  for (const name of CONTENTS) await rm(join(plan.dir, name), { recursive: true, force: true });
  return 'removed';
}

/** Removes the directory of a lab when nothing else is in it. */
export async function removeEmptyDir(dir: string): Promise<void> {
  await rmdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
  });
}

/**
 * The directory for a lab, made when it is not there.
 * @throws UsageError `LAB_DIR` when it holds something else
 */
export async function claimLabDir(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const entries = await readdir(dir);
  const isOwn = (name: string) => name === 'trial' || name.startsWith('lab.json'); // of a command that was cut off
  if (!entries.includes('lab.json') && !entries.every(isOwn)) {
    throw new UsageError(
      'LAB_DIR',
      `--dir: "${dir}" is not empty and holds no lab: expected a directory of its own`,
    );
  }
  return await realpath(dir);
}
