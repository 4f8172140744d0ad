import { resolve } from 'node:path';
import type { LinkPlan } from '../links/link-plan.ts';
import { isPath, readLinks } from '../links/load-links.ts';
import { ControlGroups } from './control-groups.ts';
import { openLab } from './lab.ts';
import { lockLab, lockLinks } from './lab-lock.ts';
import { checkRoot } from './lab-needs.ts';
import type { LabPlan } from './lab-plan.ts';
import { LabRecord } from './lab-record.ts';
import type { StandingLinks } from './lab-state.ts';
import { applyLinks, chooseDriver } from './link-driver.ts';
import { hostLinks } from './port-links.ts';

const NONE = 'none';
export const NO_LINKS: StandingLinks = { profile: null, stage: 'set' };

/** The links of the lab in `dir`; without any the hosts are as near as the bridge between them. */
export async function linksOfLab(
  dir: string,
): Promise<{ plan: LabPlan; links: LinkPlan | undefined; stage: StandingLinks['stage'] }> {
  checkRoot();
  const { plan, state } = await openLab(dir);
  return { plan, links: hostLinks(plan, state.links.profile), stage: state.links.stage };
}

/**
 * Gives the links between the hosts of the lab in `dir` the figures of a profile, or takes them away (`none`). The lab
 * keeps the file as it is now.
 * @throws UsageError for a profile that cannot be
 * @throws FaultError `LAB_NEEDS` when this machine can make no links, `LAB_IN_USE` while a run goes on; the links then stay
 */
export async function setLinks(dir: string, asked: string, signal: AbortSignal): Promise<void> {
  checkRoot();
  const named = isPath(asked) ? resolve(asked) : asked;
  const profile = named === NONE ? null : await readLinks(named, '--profile');
  await using _ = await lockLab((await openLab(dir)).plan.dir, { signal });
  const { plan, state } = await openLab(dir); // as whoever held the lock before has left it
  const groups = await ControlGroups.find();
  const links = hostLinks(plan, profile);
  const driver = await chooseDriver(plan, links, signal);
  await using __ = await lockLinks(plan.dir, { signal });
  const record = new LabRecord(plan, state);
  await record.noteLinks({ profile, stage: 'changing' });
  await applyLinks(plan, { links, driver }, groups, signal);
  await record.noteLinks({ profile, stage: 'set' });
}
