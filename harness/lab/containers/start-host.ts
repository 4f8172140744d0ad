import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LinkPlan } from '../links/link-plan.ts';
import { bootHost } from './boot-host.ts';
import type { ControlGroups } from './control-groups.ts';
import { planDisk } from './disk-plan.ts';
import { ensureKeyPair } from './lab-keys.ts';
import { connectHost } from './lab-network.ts';
import type { LabHost, LabPlan } from './lab-plan.ts';
import type { LabRecord } from './lab-record.ts';
import { notForHosts } from './not-for-hosts.ts';
import { type HostKeys, ownFiles } from './own-files.ts';
import { shapePort } from './port-links.ts';
import { removeMachine } from './take-down.ts';
import { listDirectory, writeDisk } from './write-disk.ts';

/** What every host of a lab is started with. */
export interface LabSite {
  readonly plan: LabPlan;
  readonly groups: ControlGroups;
  readonly record: LabRecord;
  /** The public key of whom the hosts let in. */
  readonly authorizedKey: string;
  /** What netem is to do on their ports. */
  readonly portLinks: LinkPlan | undefined;
}

/** The host's own SSH key, made once: its fingerprint is in the inventory, and a host keeps it as a server does. */
export async function ensureHostKey(host: LabHost, signal: AbortSignal): Promise<HostKeys> {
  await mkdir(host.dir, { recursive: true, mode: 0o700 });
  return await ensureKeyPair(join(host.dir, 'ssh_host_ed25519_key'), host.name, signal);
}

/** Makes what a host lacks, its disk, its network, its control groups, and switches it on. */
export async function startHost(
  { plan, groups, record, authorizedKey, portLinks }: LabSite,
  host: LabHost,
  keys: HostKeys,
  signal: AbortSignal,
): Promise<void> {
  await removeMachine(plan, host, groups, signal); // what a start that was cut off has left
  const own = ownFiles(plan, host, keys, authorizedKey, sshUnit());
  await writeDisk(host.disk, planDisk(own, notForHosts(plan.dir), listDirectory), signal);
  await rm(join(host.dir, 'scratch'), { recursive: true, force: true });
  await connectHost(plan, host, signal);
  await shapePort(plan, host, portLinks, signal); // before anything on it can speak
  await record.noteSupervisor(host.name, await bootHost(host, await groups.make(host.machine)));
}

/** Debian and its like call it `ssh`, all others `sshd`. */
function sshUnit(): string {
  const debian = '/lib/systemd/system/ssh.service';
  return existsSync(debian) ? 'ssh.service' : 'sshd.service';
}
