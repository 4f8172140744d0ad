import { readdir, readFile, readlink } from 'node:fs/promises';
import { FaultError } from '../../../kit/errors.ts';
import { readProc } from './process-id.ts';

/** What one host holds, measured on Debian 12: 5 by systemd, one each by dbus and logind; and one to spare. */
const PER_HOST = 8;
const LIMIT_FILE = '/proc/sys/fs/inotify/max_user_instances';
const ROOMY = 1_024;

/**
 * Makes sure that `hosts` more systemds can watch files: all hosts of all labs are root to the kernel, which gives each
 * user so many inotify instances (128 by default). A host that gets none comes up without what it was to start.
 * @throws FaultError `LAB_NEEDS` naming the setting, its value and the command that raises it
 */
export async function checkInotify(hosts: number): Promise<void> {
  const limit = Number(await readFile(LIMIT_FILE, 'utf8'));
  const why = inotifyShortage({ limit, used: await instancesOfRoot(), hosts });
  if (why !== undefined) throw new FaultError('LAB_NEEDS', why, { details: { setting: LIMIT_FILE, limit } });
}

/** The pure part of `checkInotify`: what is short, and what to do; undefined when nothing is. */
export function inotifyShortage(now: {
  readonly limit: number;
  readonly used: number;
  readonly hosts: number;
}): string | undefined {
  const { limit, used, hosts } = now;
  const needed = used + hosts * PER_HOST;
  if (needed <= limit) return undefined;
  const raised = Math.max(ROOMY, 2 * needed);
  return (
    `fs.inotify.max_user_instances is ${limit}, of which root uses ${used}; ${hosts} hosts need ${needed - used} more: ` +
    `\`sysctl fs.inotify.max_user_instances=${raised}\` raises it`
  );
}

/** The inotify instances that processes of root hold now. */
async function instancesOfRoot(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const counts = await Promise.all(pids.map(instancesOf));
  return counts.reduce((total, count) => total + count, 0);
}

async function instancesOf(pid: string): Promise<number> {
  const status = await readProc(`/proc/${pid}/status`);
  if (!/^Uid:\s+0\s/m.test(status ?? '')) return 0;
  const descriptors = await readdir(`/proc/${pid}/fd`).catch((): string[] => []); // it has gone
  const targets = await Promise.all(
    descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  return targets.filter((target) => target === 'anon_inode:inotify').length;
}
