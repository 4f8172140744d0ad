import { execa } from 'execa';
import { until } from '../../../kit/deadline.ts';
import { FaultError, messageOf } from '../../../kit/errors.ts';
import type { ControlGroups } from './control-groups.ts';
import { askHost } from './enter-host.ts';
import { findLeader } from './host-leader.ts';
import type { LabHost, LabPlan } from './lab-plan.ts';
import { fillProxyCommand, proxyCommand } from './proxy-command.ts';

const ASK_BUDGET_MS = 10_000;
const BOOT_BUDGET_MS = 60_000; // 4 s for six together on two idle cores; a busy machine gets time
const POLL_MS = 150;
export const SSH_PORT = 22;

export interface HostStatus {
  /** As `systemctl is-system-running` says, or `off`. */
  readonly state: string;
  readonly failedUnits: readonly string[];
  readonly sshd: 'answers' | 'silent';
  /** The host's systemd as a process of this machine. */
  readonly leaderPid: number | null;
}

/** How a host is now. */
export async function lookAtHost(
  plan: LabPlan,
  host: LabHost,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<HostStatus> {
  const leader = await findLeader(groups, host.machine);
  if (leader === undefined) return { state: 'off', failedUnits: [], sshd: 'silent', leaderPid: null };
  const [state, failed, sshd] = await Promise.all([
    askHost(leader, ['systemctl', 'is-system-running'], ASK_BUDGET_MS, signal),
    askHost(leader, ['systemctl', 'list-units', '--failed', '--plain', '--no-legend'], ASK_BUDGET_MS, signal),
    doesSshdAnswer(plan, host, signal),
  ]);
  return {
    state: state === undefined ? 'stopping' : state || 'starting',
    failedUnits: (failed ?? '').split('\n').flatMap((line) => line.split(' ')[0] || []),
    sshd: sshd ? 'answers' : 'silent',
    leaderPid: leader,
  };
}

/**
 * Waits until a host is up: systemd has started all it was to start, and sshd answers through the proxy command.
 * @throws FaultError `LAB_BOOT` naming the state it is in instead
 */
export async function awaitHost(
  plan: LabPlan,
  host: LabHost,
  groups: ControlGroups,
  signal: AbortSignal,
): Promise<HostStatus> {
  let last: HostStatus = { state: 'off', failedUnits: [], sshd: 'silent', leaderPid: null };
  try {
    await until(`${host.name} to be up`, async () => await systemdState(host, groups, signal), {
      budgetMs: BOOT_BUDGET_MS,
      everyMs: POLL_MS,
      signal,
    });
    return await until(
      `${host.name} to be up`,
      async () => {
        last = await lookAtHost(plan, host, groups, signal);
        return isUp(last) ? last : undefined;
      },
      { budgetMs: BOOT_BUDGET_MS, everyMs: POLL_MS, signal },
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new FaultError(
      'LAB_BOOT',
      `${host.name} did not come up (systemd: ${last.state}, sshd: ${last.sshd}); see ${host.consoleLog}: ${messageOf(error)}`,
      { details: { host: host.name, ...last }, cause: error },
    );
  }
}

export function isUp({ state, sshd }: HostStatus): boolean {
  return (state === 'running' || state === 'degraded') && sshd === 'answers';
}

async function systemdState(host: LabHost, groups: ControlGroups, signal: AbortSignal) {
  const leader = await findLeader(groups, host.machine);
  if (leader === undefined) return undefined;
  const state = await askHost(leader, ['systemctl', 'is-system-running'], ASK_BUDGET_MS, signal);
  return state === 'running' || state === 'degraded' ? state : undefined;
}

async function doesSshdAnswer(plan: LabPlan, host: LabHost, signal: AbortSignal): Promise<boolean> {
  const [program, ...args] = fillProxyCommand(proxyCommand(plan), host.address, SSH_PORT);
  const result = await execa(program, args, {
    stdin: 'ignore', // it hangs up at once; sshd greets first
    timeout: ASK_BUDGET_MS,
    cancelSignal: signal,
    reject: false,
  });
  signal.throwIfAborted();
  return result.stdout.startsWith('SSH-2.0-');
}
