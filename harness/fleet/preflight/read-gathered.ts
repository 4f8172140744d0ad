import { missing, type Observation, seen } from '../../../proofs/observation.ts';
import { type BusyProcess, busyProcesses, TICKS_PER_SEC } from './busy-processes.ts';
import { type PortHolder, portHolders } from './port-holders.ts';

interface Disk {
  readonly path: string;
  readonly freeBytes: number;
}

/** What a host is, as far as it was seen. */
export interface HostFacts {
  /** `x86_64`, as `uname -m` says it. */
  readonly architecture: Observation<string>;
  readonly kernel: Observation<string>;
  readonly isRoot: Observation<boolean>;
  /** Since its init started: a container is younger than the kernel that it runs on. */
  readonly uptimeSecs: Observation<number>;
  readonly processors: Observation<number>;
  /** Runnable processes, averaged over the last minute. */
  readonly loadOneMinute: Observation<number>;
  readonly memoryTotalBytes: Observation<number>;
  readonly memoryAvailableBytes: Observation<number>;
  /** Where a deployment writes. */
  readonly disks: Observation<readonly Disk[]>;
  readonly systemdVersion: Observation<number>;
  /** `running`, `degraded`, … */
  readonly systemState: Observation<string>;
  readonly clockSynchronized: Observation<boolean>;
  /** Since the node's unit was started; absent where none runs. */
  readonly nodeUpSecs: Observation<number>;
  readonly nft: Observation<true>;
  readonly prio: Observation<true>;
  readonly netem: Observation<true>;
  /** Those of others that use the processor most, the greediest first. */
  readonly busy: Observation<readonly BusyProcess[]>;
  readonly ports: Observation<readonly PortHolder[]>;
}

const KIB = 1_024;

/** Reads what `GATHER` printed. A section that is not there or not as expected is a fact that was not seen. */
export function readGathered(output: string): HostFacts {
  const sections = splitSections(output);
  const text = (name: string) => sections.get(name) ?? '';
  const ours = new Set([...text('ours').matchAll(/^\/proc\/(\d+)\//gm)].map(([, pid]) => Number(pid)));
  const kernel = /^(\S+) (\S+) (\S+)$/m.exec(text('kernel'));
  const uptimeSecs = /^(\d+\.\d+) /.exec(text('uptime'));
  const load = /^([\d.]+) [\d.]+ [\d.]+ .*\n(\d+)$/.exec(text('load'));
  return {
    architecture: found(kernel?.[3], text('kernel')),
    kernel: found(kernel?.[2], text('kernel')),
    isRoot: /^\d+$/.test(text('user')) ? seen(text('user') === '0') : unseen(text('user')),
    uptimeSecs: readUptime(uptimeSecs?.[1], text('processes_before'), text('uptime')),
    processors: number(load?.[2], text('load')),
    loadOneMinute: number(load?.[1], text('load')),
    memoryTotalBytes: number(/^MemTotal: +(\d+) kB$/m.exec(text('memory'))?.[1], text('memory'), KIB),
    memoryAvailableBytes: number(/^MemAvailable: +(\d+) kB$/m.exec(text('memory'))?.[1], text('memory'), KIB),
    disks: readDisks(text('disk')),
    systemdVersion: number(/^systemd (\d+)/.exec(text('systemd'))?.[1], text('systemd')),
    systemState: found(/^[a-z]+$/m.exec(text('systemd'))?.[0], text('systemd')),
    clockSynchronized: /^(yes|no)$/.test(text('clock'))
      ? seen(text('clock') === 'yes')
      : unseen(text('clock')),
    nodeUpSecs: readNodeUp(text('node'), uptimeSecs?.[1]),
    nft: works(text('nft')),
    prio: works(text('prio')),
    netem: works(text('netem')),
    busy: busyProcesses(text('processes_before'), text('processes_after'), ours),
    ports: portHolders(sections, ours),
  };
}

function splitSections(output: string): ReadonlyMap<string, string> {
  const parts = output.split(/^=== (\w+)$/m).slice(1);
  const sections = new Map<string, string>();
  for (let at = 0; at + 1 < parts.length; at += 2)
    sections.set(parts[at] ?? '', (parts[at + 1] ?? '').trim());
  return sections;
}

/** `Filesystem 1024-blocks Used Available Capacity Mounted-on`, one line each; each file system once. */
function readDisks(text: string): Observation<readonly Disk[]> {
  const disks = new Map<string, Disk>();
  for (const line of text.split('\n')) {
    const match = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s+(\/.*)$/.exec(line);
    if (match?.[3] === undefined || match[4] === undefined) return unseen(text);
    disks.set(match[4], { path: match[4], freeBytes: Number(match[3]) * KIB });
  }
  return seen([...disks.values()]);
}

/** The 22nd field of `/proc/1/stat` is when init started, in ticks of the kernel's uptime. */
function readUptime(kernelSecs: string | undefined, processes: string, section: string): Observation<number> {
  const startTicks = /^1 \(.*\) \S (?:\S+ ){18}(\d+) /m.exec(processes)?.[1];
  if (kernelSecs === undefined || startTicks === undefined) return unseen(section);
  return seen(Math.max(0, Number(kernelSecs) - Number(startTicks) / TICKS_PER_SEC));
}

function readNodeUp(text: string, uptimeSecs: string | undefined): Observation<number> {
  const state = /^ActiveState=(\w+)$/m.exec(text)?.[1];
  const sinceUs = /^ActiveEnterTimestampMonotonic=(\d+)$/m.exec(text)?.[1];
  if (state === undefined || sinceUs === undefined || uptimeSecs === undefined) return unseen(text);
  if (state !== 'active') return missing('absent', `the node's unit is ${state}`);
  return seen(Math.max(0, Number(uptimeSecs) - Number(sinceUs) / 1e6));
}

function works(text: string): Observation<true> {
  if (text === 'works') return seen(true);
  return missing('absent', lastLine(text) || 'not tried');
}

function number(text: string | undefined, section: string, unit = 1): Observation<number> {
  return text === undefined ? unseen(section) : seen(Number(text) * unit);
}

function found(text: string | undefined, section: string): Observation<string> {
  return text === undefined ? unseen(section) : seen(text);
}

function unseen(section: string): Observation<never> {
  return missing('unreadable', lastLine(section) || 'the host did not say');
}

function lastLine(text: string): string {
  return text.split('\n').at(-1)?.trim().slice(0, 200) ?? '';
}
