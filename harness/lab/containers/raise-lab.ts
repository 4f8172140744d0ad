import { join } from 'node:path';
import { UsageError } from '../../../kit/errors.ts';
import { startTogether } from '../start-together.ts';
import { ControlGroups } from './control-groups.ts';
import { findLeader } from './host-leader.ts';
import { awaitHost, type HostStatus } from './host-status.ts';
import { claimLabDir } from './lab.ts';
import { writeInventory } from './lab-inventory.ts';
import { ensureKeyPair } from './lab-keys.ts';
import { NO_LINKS, restoreLinks } from './lab-links.ts';
import { lockLab } from './lab-lock.ts';
import { checkLabNeeds, checkRoot } from './lab-needs.ts';
import { makeBridge } from './lab-network.ts';
import { type LabHost, type LabPlan, planLab } from './lab-plan.ts';
import { LabRecord } from './lab-record.ts';
import { type LabState, readLabState } from './lab-state.ts';
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
  const before = await readLabState(join(dir, 'lab.json'));
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
  const record = new LabRecord(plan, {
    format: 'meshproof.lab.v1',
    id: plan.id,
    stage: 'raising',
    host_count: hostCount,
    links: before?.links ?? NO_LINKS,
    hosts: before?.hosts ?? {},
  });
  await record.enter('raising');

  if (running.size === 0) {
    await takeDown(plan, groups, signal); // the remains of a lab that was cut off
    await makeBridge(plan, signal);
  }
  const authorizedKey = (await ensureKeyPair(plan.keyFile, 'meshproof-lab', signal)).publicKey;
  const site = { plan, groups, record, authorizedKey };
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
  await restoreLinks(plan, record.state.links, signal);
  await writeInventory(plan, raised);
  await record.enter('up');
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
