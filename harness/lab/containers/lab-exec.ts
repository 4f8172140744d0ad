import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { FaultError, UsageError } from '../../../kit/errors.ts';
import { ControlGroups } from './control-groups.ts';
import { duringVisit, enterCommand } from './enter-host.ts';
import { findLeader } from './host-leader.ts';
import { openLab } from './lab.ts';
import { checkRoot } from './lab-needs.ts';

const SIGNAL_BASE = 128; // as a shell tells that a signal ended a program

/**
 * Runs a program on a host with this terminal as its own, and gives its exit code.
 * @throws UsageError for a host that is not in the lab, or nothing to run
 * @throws FaultError `HOST_OFF`
 */
export async function runOnHost(dir: string, hostName: string, argv: readonly string[]): Promise<number> {
  checkRoot();
  if (argv.length === 0)
    throw new UsageError('NO_PROGRAM', `lab exec: say what to run: lab exec ${hostName} -- …`);
  const { plan } = await openLab(dir);
  const host = plan.hosts.find(({ name }) => name === hostName);
  if (host === undefined) {
    const known = plan.hosts.map(({ name }) => name).join(', ');
    throw new UsageError('NO_SUCH_HOST', `lab exec: "${hostName}" is not one of ${known}`);
  }
  const leader = await findLeader(await ControlGroups.find(), host.machine);
  if (leader === undefined) throw new FaultError('HOST_OFF', `${hostName} is off: \`lab up\` starts it`);
  const [program, ...args] = await enterCommand(leader, argv);
  const child = spawn(program, args, { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, pass);
  try {
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const [code, signal] = await duringVisit(leader, child, ended);
    return code ?? SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]);
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}
