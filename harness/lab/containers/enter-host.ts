import { execa } from 'execa';
import { codeOf, FaultError } from '../../../kit/errors.ts';
import { readProc } from './process-id.ts';
import { SYSTEM_PATH } from './system-command.ts';

const CONTINUE_EVERY_MS = 250;
/** The last program of a host that shuts down, as the kernel names it. It waits for every process that is still there. */
const SHUTTING_DOWN = /^Name:\s+systemd-shutdow/m;

/**
 * The command that runs `argv` on a host as root, from its first process: it needs neither sshd nor the network. It has
 * no more rights than that process, so that the root of a host stays less than the root of this machine: whoever enters
 * namespaces from outside would keep the right to set the clock.
 * @throws FaultError `HOST_OFF`
 */
export async function enterCommand(
  leader: number,
  argv: readonly string[],
): Promise<readonly [string, ...string[]]> {
  const status = await readProc(`/proc/${leader}/status`);
  const bounding = /^CapBnd:\s+([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  if (status === undefined || bounding === undefined)
    throw new FaultError('HOST_OFF', 'the host was just switched off');
  if (SHUTTING_DOWN.test(status)) throw new FaultError('HOST_OFF', 'the host is shutting down');
  const rights = `-all${namesOfCapabilities(bounding)
    .map((name) => `,+${name}`)
    .join('')}`;
  const term = process.env.TERM ?? 'dumb';
  return [
    ...(['nsenter', '--target', `${leader}`, '--all', '--root', '--wd', '--'] as const),
    ...['setpriv', '--bounding-set', rights, '--inh-caps', '-all', '--'],
    ...['env', '-i', `PATH=${SYSTEM_PATH}`, 'HOME=/root', 'USER=root', 'LANG=C.UTF-8', `TERM=${term}`],
    ...argv,
  ];
}

/**
 * Follows a visit, which is the nsenter that entered a host, so that it does not hold up a host that goes off meanwhile. Such a host
 * stops all processes for a moment, and nsenter stops itself with the one that it waits for: nobody else would continue
 * it. Then the host waits for all to end, but is only told of its own: it would stand still for up to 90 s.
 */
export async function duringVisit<T>(
  leader: number,
  visit: { kill(signal: 'SIGCONT'): boolean },
  ended: Promise<T>,
): Promise<T> {
  const continued = setInterval(() => visit.kill('SIGCONT'), CONTINUE_EVERY_MS);
  try {
    return await ended;
  } finally {
    clearInterval(continued);
    await tellOfEnd(leader);
  }
}

async function tellOfEnd(leader: number): Promise<void> {
  const status = await readProc(`/proc/${leader}/status`);
  if (status === undefined || !SHUTTING_DOWN.test(status)) return;
  try {
    process.kill(leader, 'SIGCHLD');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error; // it is off
  }
}

/** A set of capabilities as in `/proc/PID/status`, in the words of setpriv(1): `cap_0` for bit 0. */
export function namesOfCapabilities(hex: string): readonly string[] {
  const bits = BigInt(`0x${hex}`);
  return Array.from({ length: hex.length * 4 }, (_, bit) => bit).flatMap((bit) =>
    (bits >> BigInt(bit)) & 1n ? [`cap_${bit}`] : [],
  );
}

/**
 * Runs a program on a host and gives what it printed, whatever its exit code; empty when it could not be run, `undefined`
 * when the host is going off.
 */
export async function askHost(
  leader: number,
  argv: readonly string[],
  budgetMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const command = await enterCommand(leader, argv).catch((error: unknown) => {
    if (codeOf(error) === 'HOST_OFF') return undefined;
    throw error;
  });
  if (command === undefined) return undefined;
  const [program, ...args] = command;
  const visit = execa(program, args, {
    stdin: 'ignore',
    timeout: budgetMs,
    cancelSignal: signal,
    reject: false,
    env: { PATH: SYSTEM_PATH },
  });
  const result = await duringVisit(leader, visit, visit);
  signal.throwIfAborted();
  return result.stdout.trim();
}
