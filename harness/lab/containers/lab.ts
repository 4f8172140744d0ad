import { existsSync } from 'node:fs';
import { codeOf, FaultError, messageOf, UsageError } from '../../../kit/errors.ts';
import { ControlGroups } from './control-groups.ts';
import { type HostStatus, isUp, lookAtHost } from './host-status.ts';
import { clearCutOffStart, clearLabDir, isNoRoom, realDir } from './lab-dir.ts';
import { lockLab } from './lab-lock.ts';
import { checkRoot } from './lab-needs.ts';
import { hasNetwork } from './lab-network.ts';
import { type LabHost, type LabPlan, planLab } from './lab-plan.ts';
import { describeRemains, findRemains } from './lab-remains.ts';
import { type LabState, readLabState, writeLabState } from './lab-state.ts';
import { checkLinks, type LinkDriver } from './link-driver.ts';
import { hostLinks } from './port-links.ts';
import { takeDown } from './take-down.ts';

export interface LabHostStatus extends HostStatus {
  readonly host: LabHost;
  readonly supervisorPid: number | null;
}

export interface LabStatus {
  readonly plan: LabPlan;
  readonly stage: LabState['stage'];
  /** `up` when all hosts are, and the links are as they were set. */
  readonly verdict: 'up' | 'not up';
  readonly links: LabLinksStatus;
  readonly hosts: readonly LabHostStatus[];
}

/** What was set between the hosts, and whether it stands. */
export interface LabLinksStatus {
  readonly name: string | null;
  /** What makes them; `null` where they are not what was set, or the lab is off. */
  readonly driver: LinkDriver | null;
  /** Why they are not what was set. */
  readonly problem: string | null;
}

/** The lab in `dir` as it was last written down; `undefined` when there is none. */
async function findLab(dir: string): Promise<{ plan: LabPlan; state: LabState } | undefined> {
  const real = await realDir(dir);
  const state = real === undefined ? undefined : await readLabState(planLab(real, 0));
  return real === undefined || state === undefined
    ? undefined
    : { plan: planLab(real, state.host_count), state };
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
  const links = await statusOfLinks(plan, state, groups, signal);
  const verdict = hosts.every(isUp) && links.problem === null ? 'up' : 'not up';
  return { plan, stage: state.stage, verdict, links, hosts };
}

async function statusOfLinks(
  plan: LabPlan,
  { links: { profile, stage } }: LabState,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<LabLinksStatus> {
  const name = profile?.name ?? null;
  if (!(await hasNetwork(plan, signal))) return { name, driver: null, problem: null };
  if (stage === 'changing')
    return { name, driver: null, problem: 'set on some machines only: set them again' };
  try {
    const { driver } = await checkLinks(plan, hostLinks(plan, profile), groups, signal);
    return { name, driver, problem: null };
  } catch (error) {
    if (codeOf(error) !== 'LAB_LINKS_DIFFER') throw error;
    return { name, driver: null, problem: messageOf(error) };
  }
}

/**
 * Removes the lab in `dir` and what it wrote there. Gives `none` when there is nothing to remove. A state that is damaged,
 * or a directory that somebody emptied, is no reason to leave hosts running: all that is removed is found by name.
 * @throws FaultError `LAB_LEFTOVERS` naming what could not be removed
 * @throws UsageError `LAB_DIR`, `LAB_MOVED` for a directory whose files are not known to be a lab's
 */
export async function lowerLab(dir: string, signal: AbortSignal): Promise<'removed' | 'none'> {
  checkRoot();
  const real = await realDir(dir);
  const plan = planLab(real ?? dir, 0);
  const groups = await ControlGroups.find();
  const isOnMachine = async () => describeRemains(await findRemains(plan, groups, signal)).length > 0;
  if (!existsSync(plan.stateFile) && !(await isOnMachine())) {
    return (await clearCutOffStart(plan.dir)) === 'cleared' ? 'removed' : 'none';
  }
  await using _ = real === undefined ? undefined : await lockLab(real, { signal });
  const state = await readLabState(plan).catch(async (error: unknown) => {
    if (!(error instanceof FaultError)) throw error;
    if (error.details.is_ours === true || (await isOnMachine())) return undefined;
    const why = `${plan.stateFile} is no lab's: expected the directory of a lab, whose files may be removed`;
    throw new UsageError('LAB_DIR', `--dir: ${why}`, { details: { dir: plan.dir }, cause: error });
  });
  if (state !== undefined) await noteLowering(plan, state);
  await takeDown(plan, groups, signal);
  await clearLabDir(plan.dir);
  return 'removed';
}

async function noteLowering(plan: LabPlan, state: LabState): Promise<void> {
  await writeLabState(plan, { ...state, stage: 'lowering' }).catch((error: unknown) => {
    if (!isNoRoom(error)) throw error; // else: to go on is what makes room
  });
}
