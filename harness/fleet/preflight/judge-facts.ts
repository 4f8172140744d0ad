import { isSeen, type Observation } from '../../../proofs/observation.ts';
import type { InventoryHost } from '../inventory.ts';
import type { ClockOffset } from './clock-offset.ts';
import type { PortHolder } from './port-holders.ts';
import type { HostFacts } from './read-gathered.ts';

export type CheckStatus = 'ok' | 'warn' | 'fail';

export interface Check {
  readonly check: string;
  readonly status: CheckStatus;
  /** What was seen, for a person; and why that is not well. */
  readonly said: string;
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Receipts carry the wall time of both ends; beyond this, latencies between hosts mean nothing. */
const MAX_SKEW_MS = 500;
/** Room for three versions of an artifact of some 150 MB, and a day of journals and telemetry beside them. */
const DISK = { failBelow: GIB, warnBelow: 3 * GIB } as const;
/** A node of a quiet mesh takes some 100 MB, its runner some 80; fleets of 4 GB hosts that ran short were killed. */
const MEMORY = { failBelow: 256 * MIB, warnBelow: 512 * MIB } as const;
/** On a host with one processor, others that took 45 % of it starved the node. */
const BUSY_WARN_PERCENT = 25;
const LOAD_PER_PROCESSOR_WARN = 0.7;
/** A fleet that was restarted in between is still settling: a full supersede took 13 minutes once. */
const SETTLED_AFTER_SECS = 15 * 60;
/** `systemd-run --timer-property`, credentials and `ProtectProc=` are all there. */
const SYSTEMD_FROM = 247;
const ARCHITECTURES = ['x86_64', 'aarch64'];

/** What is well with a host, what may disturb a run and what rules it out. What was not seen is never well. */
export function judgeFacts(
  host: Pick<InventoryHost, 'udpPort' | 'apiPort' | 'runnerPort'>,
  facts: HostFacts,
  offset: Observation<ClockOffset>,
): readonly Check[] {
  return [
    check('root', 'fail', facts.isRoot, (isRoot) =>
      isRoot ? ok('root') : fail('commands do not run as root'),
    ),
    check('platform', 'fail', facts.architecture, (architecture) =>
      ARCHITECTURES.includes(architecture)
        ? ok(`${architecture}, Linux ${isSeen(facts.kernel) ? facts.kernel.seen : '?'}`)
        : fail(`${architecture}: expected ${ARCHITECTURES.join(' or ')}`),
    ),
    check('systemd', 'fail', facts.systemdVersion, (version) => judgeSystemd(version, facts.systemState)),
    check('clock', 'fail', offset, (clock) => judgeClock(clock)),
    check('sync', 'warn', facts.clockSynchronized, (yes) =>
      yes ? ok('clock kept by NTP') : warn('nothing keeps the clock'),
    ),
    check('disk', 'fail', facts.disks, (disks) =>
      worst(
        disks.map(({ path, freeBytes }) => judgeRoom(freeBytes, DISK, `${gib(freeBytes)} free on ${path}`)),
      ),
    ),
    check('memory', 'fail', facts.memoryAvailableBytes, (free) =>
      judgeRoom(free, MEMORY, `${gib(free)} available`),
    ),
    check('load', 'fail', facts.loadOneMinute, (load) => judgeLoad(load, facts)),
    check('ports', 'fail', facts.ports, (holders) => judgePorts(host, holders)),
    check('nft', 'fail', facts.nft, () => ok('sets with timeouts')),
    check('netem', 'warn', shapingOf(facts), () => ok('prio and netem work')),
    check('uptime', 'fail', facts.uptimeSecs, (secs) => judgeUptime(secs, facts.nodeUpSecs)),
  ];
}

type Finding = Omit<Check, 'check'>;
const ok = (said: string): Finding => ({ status: 'ok', said });
const warn = (said: string): Finding => ({ status: 'warn', said });
const fail = (said: string): Finding => ({ status: 'fail', said });

function check<T>(
  name: string,
  unseen: 'warn' | 'fail',
  fact: Observation<T>,
  judge: (value: T) => Finding,
): Check {
  if (isSeen(fact)) return { check: name, ...judge(fact.seen) };
  return { check: name, status: unseen, said: fact.why };
}

/** Delay and loss need both queueing disciplines. */
function shapingOf({ prio, netem }: HostFacts): Observation<true> {
  const lacking = isSeen(prio) ? netem : prio;
  return isSeen(lacking)
    ? lacking
    : { ...lacking, why: `no delay, loss or rate faults here: ${lacking.why}` };
}

function judgeSystemd(version: number, state: Observation<string>): Finding {
  if (version < SYSTEMD_FROM) return fail(`systemd ${version}: expected ${SYSTEMD_FROM} or newer`);
  if (!isSeen(state)) return fail(`systemd ${version}, state unknown: ${state.why}`);
  if (state.seen === 'offline') return fail('systemd does not run here');
  return state.seen === 'running' ? ok(`${version}, running`) : warn(`${version}, ${state.seen}`);
}

function judgeClock({ offsetMs, uncertaintyMs }: ClockOffset): Finding {
  const said = `${offsetMs > 0 ? '+' : ''}${offsetMs.toFixed(1)} ms ± ${uncertaintyMs.toFixed(1)}`;
  if (Math.abs(offsetMs) - uncertaintyMs > MAX_SKEW_MS)
    return fail(`${said}: more than ${MAX_SKEW_MS} ms off`);
  if (Math.abs(offsetMs) + uncertaintyMs > MAX_SKEW_MS) return warn(`${said}: may be ${MAX_SKEW_MS} ms off`);
  return ok(said);
}

function judgeRoom(
  bytes: number,
  { failBelow, warnBelow }: typeof DISK | typeof MEMORY,
  said: string,
): Finding {
  if (bytes < failBelow) return fail(`${said}: expected ${gib(failBelow)}`);
  return bytes < warnBelow ? warn(`${said}: ${gib(warnBelow)} would be better`) : ok(said);
}

function judgeLoad(load: number, { processors, busy }: HostFacts): Finding {
  if (!isSeen(processors)) return fail(processors.why);
  if (!isSeen(busy)) return fail(busy.why);
  const greedy = busy.seen.filter(({ processorPercent }) => processorPercent >= BUSY_WARN_PERCENT);
  const said = `${load.toFixed(2)} on ${processors.seen} CPU${processors.seen === 1 ? '' : 's'}`;
  if (greedy.length > 0) {
    return warn(`${said}; ${greedy.map((it) => `${it.name} takes ${it.processorPercent} %`).join(', ')}`);
  }
  return load / processors.seen > LOAD_PER_PROCESSOR_WARN ? warn(said) : ok(said);
}

function judgePorts(
  host: Pick<InventoryHost, 'udpPort' | 'apiPort' | 'runnerPort'>,
  holders: readonly PortHolder[],
): Finding {
  const wanted = [
    ['udp', host.udpPort],
    ['tcp', host.apiPort],
    ['tcp', host.runnerPort],
  ] as const;
  const found = wanted.map(([protocol, port]) => {
    const taken = holders.filter((holder) => holder.protocol === protocol && holder.port === port);
    const foreign = taken.find(({ isOurs }) => !isOurs);
    if (foreign === undefined) return ok(`${protocol} ${port} ${taken.length > 0 ? 'ours' : 'free'}`);
    const by = foreign.name === null ? 'an unknown process' : `${foreign.name} (pid ${foreign.pid})`;
    return fail(`${protocol} ${port} taken by ${by}`);
  });
  return worst(found);
}

function judgeUptime(secs: number, node: Observation<number>): Finding {
  const said = `up ${duration(secs)}${isSeen(node) ? `, node ${duration(node.seen)}` : ''}`;
  const youngest = isSeen(node) ? Math.min(secs, node.seen) : secs;
  return youngest < SETTLED_AFTER_SECS ? warn(`${said}: not settled yet`) : ok(said);
}

/** The findings that are as bad as the worst of them; all of them when all is well. */
function worst(findings: readonly Finding[]): Finding {
  for (const status of ['fail', 'warn'] as const) {
    const bad = findings.filter((finding) => finding.status === status);
    if (bad.length > 0) return { status, said: bad.map(({ said }) => said).join('; ') };
  }
  return ok(findings.map(({ said }) => said).join(', '));
}

function gib(bytes: number): string {
  return bytes < GIB ? `${Math.round(bytes / MIB)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`;
}

/** For a person, in the unit that fits. */
export function duration(secs: number): string {
  if (secs < 120) return `${Math.round(secs)} s`;
  if (secs < 2 * 3_600) return `${Math.round(secs / 60)} min`;
  return secs < 48 * 3_600 ? `${Math.round(secs / 3_600)} h` : `${Math.round(secs / 86_400)} days`;
}
