import type { ControlGroups } from './control-groups.ts';
import { readProc } from './process-id.ts';

/** Whether `/proc/PID/status` is that of the first process of a container, one level below this machine. */
export function isLeader(status: string): boolean {
  const pids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.trim().split(/\s+/) ?? [];
  return pids.length === 2 && pids[1] === '1' && !/^State:\s+Z/m.test(status);
}

/** The systemd of a host, as a pid of this machine; `undefined` while the host is off. */
export async function findLeader(groups: ControlGroups, machine: string): Promise<number | undefined> {
  for (const pid of await groups.pidsOf(machine)) {
    const status = await readProc(`/proc/${pid}/status`);
    if (status !== undefined && isLeader(status)) return pid;
  }
  return undefined;
}
