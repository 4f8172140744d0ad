import { missing, type Observation, seen } from '../../../proofs/observation.ts';

export interface BusyProcess {
  readonly pid: number;
  readonly name: string;
  /** Of one processor, between the two looks. */
  readonly processorPercent: number;
}

/** `sysconf(_SC_CLK_TCK)` of every Linux. */
export const TICKS_PER_SEC = 100;
const SHOWN = 5;
const WORTH_A_LINE_PERCENT = 10;

/**
 * Who but `ours` used the processor between two looks, each `/proc/uptime` and then every `/proc/PID/stat`. What `ps` shows is an
 * average over the life of a process, which says nothing about now.
 */
export function busyProcesses(
  before: string,
  after: string,
  ours: ReadonlySet<number>,
): Observation<readonly BusyProcess[]> {
  const [first, second] = [readLook(before), readLook(after)];
  const elapsedSecs = second.atSecs - first.atSecs;
  if (!(elapsedSecs > 0)) return missing('unreadable', 'the processes were not seen twice');
  const busy = [...second.processes].flatMap(([pid, { name, ticks }]) => {
    const earlier = first.processes.get(pid);
    if (earlier === undefined || ours.has(pid)) return []; // too young to be a load: our own look, most likely
    const processorPercent = Math.round(((ticks - earlier.ticks) / TICKS_PER_SEC / elapsedSecs) * 100);
    return processorPercent >= WORTH_A_LINE_PERCENT ? [{ pid, name, processorPercent }] : [];
  });
  return seen(busy.sort((a, b) => b.processorPercent - a.processorPercent).slice(0, SHOWN));
}

function readLook(text: string) {
  const processes = new Map<number, { readonly name: string; readonly ticks: number }>();
  for (const line of text.split('\n')) {
    // proc(5): pid (comm) state ppid … utime stime, the 14th and 15th field; comm may hold blanks and brackets.
    const match = /^(\d+) \((.*)\) \S (?:\S+ ){10}(\d+) (\d+) /.exec(line);
    if (match)
      processes.set(Number(match[1]), { name: match[2] ?? '', ticks: Number(match[3]) + Number(match[4]) });
  }
  return { atSecs: Number(/^(\d+\.\d+) /.exec(text)?.[1]), processes };
}
