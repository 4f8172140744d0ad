import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../../kit/errors.ts';
import { startTogether } from '../start-together.ts';
import { ControlGroups } from './control-groups.ts';
import { findLeader } from './host-leader.ts';
import { awaitHost, type HostStatus } from './host-status.ts';
import { claimLabDir, orNoRoom } from './lab-dir.ts';
import { writeInventory } from './lab-inventory.ts';
import { ensureKeyPair } from './lab-keys.ts';
import { NO_LINKS } from './lab-links.ts';
import { lockLab, lockLinks } from './lab-lock.ts';
import { checkLabNeeds, checkRoot } from './lab-needs.ts';
import { makeBridge } from './lab-network.ts';
import { type LabHost, type LabPlan, planLab } from './lab-plan.ts';
import { LabRecord } from './lab-record.ts';
import { type LabState, readLabState } from './lab-state.ts';
import { applyLinks, chooseDriver, isRouterAmiss } from './link-driver.ts';
import { hostLinks } from './port-links.ts';
import { isRunning } from './process-id.ts';
import { ensureHostKey, startHost } from './start-host.ts';
import { takeDown } from './take-down.ts';

const DEFAULT_HOSTS = 6;

export interface RaiseOptions {
  readonly dir: string;
  /** As many as the lab has, or six, when nothing is said. */
  readonly hostCount?: number | undefined;
  /** Called for each host as soon as it is up. */
  readonly onHost: (host: LabHost, status: HostStatus, how: 'started' | 'was running') => void;
}

export interface RaisedLab {
  readonly plan: LabPlan;
  readonly hosts: readonly { readonly host: LabHost; readonly status: HostStatus }[];
}

/**
 * Brings the lab in `dir` up: what runs stays, what is missing, half made or off is made and started. Every name is
 * written down before it is used, so that a second call, or `lowerLab`, finishes what a killed one began.
 * @throws UsageError for a directory or a size that cannot be, or without root
 * @throws FaultError for what this machine lacks (`LAB_NEEDS`) or a host that does not come up (`LAB_BOOT`)
 */
export async function raiseLab(options: RaiseOptions, signal: AbortSignal): Promise<RaisedLab> {
  checkRoot();
  const dir = await claimLabDir(options.dir);
  await using _ = await lockLab(dir, { signal });
  try {
    return await raiseLocked(dir, options, signal);
  } catch (error) {
    throw orNoRoom(error, dir);
  }
}

async function raiseLocked(dir: string, options: RaiseOptions, signal: AbortSignal): Promise<RaisedLab> {
  const before = await readLabState(planLab(dir, 0));
  const hostCount = options.hostCount ?? before?.host_count ?? DEFAULT_HOSTS;
  if (before !== undefined && before.host_count > hostCount) {
    throw new UsageError(
      'LAB_SIZE',
      `--hosts: the lab in ${dir} has ${before.host_count} hosts, more than ${hostCount}: \`lab down\` first`,
    );
  }
  const plan = planLab(dir, hostCount);
  const groups = await ControlGroups.find();
  const running = await findRunning(plan, before?.hosts ?? {}, groups);
  await checkLabNeeds({ dir, hosts: hostCount - running.size }, signal);
  const { profile, stage } = before?.links ?? NO_LINKS;
  const links = hostLinks(plan, profile);
  const driver = await chooseDriver(plan, links, signal);
  // A host that is started has its links before it can speak; those that run need theirs anew when these are others.
  const others =
    stage === 'changing' ||
    (links !== undefined && before?.host_count !== hostCount) ||
    (running.size > 0 && (await isRouterAmiss(plan, { links, driver }, groups, signal)));
  const reshape = others && running.size > 0;
  await using _ = reshape ? await lockLinks(dir, { signal }) : undefined;
  if (running.size === 0) {
    await takeDown(plan, groups, signal); // the remains of a lab that was cut off
    // A disk that a `lab down` was cut off from removing may be half a disk.
    if (before?.stage === 'lowering') await rm(join(dir, 'hosts'), { recursive: true, force: true });
  }
  const record = new LabRecord(plan, {
    format: 'meshproof.lab.v1',
    id: plan.id,
    stage: 'raising',
    host_count: hostCount,
    links: { profile, stage: others ? 'changing' : 'set' },
    hosts: before?.hosts ?? {},
  });
  await record.begin();
  if (running.size === 0) await makeBridge(plan, signal);
  if (running.size === 0 || reshape) await applyLinks(plan, { links, driver }, groups, signal);

  const authorizedKey = (await ensureKeyPair(plan.keyFile, 'meshproof-lab', signal)).publicKey;
  const site = { plan, groups, record, authorizedKey, portLinks: driver === 'netem' ? links : undefined };
  const raised = await startTogether(
    plan.hosts.map((host) => async (hostSignal) => {
      const keys = await ensureHostKey(host, hostSignal);
      if (!running.has(host.name)) await startHost(site, host, keys, hostSignal);
      const status = await awaitHost(plan, host, groups, hostSignal);
      options.onHost(host, status, running.has(host.name) ? 'was running' : 'started');
      return { host, status, publicKey: keys.publicKey };
    }),
    signal,
  );
  await writeInventory(plan, raised);
  await record.finish();
  return { plan, hosts: raised };
}

/** The hosts whose supervisor is the one written down, with a systemd below it. */
async function findRunning(
  plan: LabPlan,
  written: LabState['hosts'],
  groups: ControlGroups,
): Promise<ReadonlySet<string>> {
  const running = new Set<string>();
  for (const host of plan.hosts) {
    const supervisor = written[host.name]?.supervisor;
    if (supervisor === undefined || !(await isRunning(supervisor))) continue;
    if ((await findLeader(groups, host.machine)) !== undefined) running.add(host.name);
  }
  return running;
}
