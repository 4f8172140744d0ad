import { readFileSync } from 'node:fs';

/** What the kernel tells of a process; `startTicks` tells it from a later one of the same id. */
export interface ProcessStat {
  /** One letter: R, S, D, T (stopped), Z (zombie)… */
  readonly state: string;
  readonly startTicks: string;
}

const START_TIME_AT = 19; // field 22 of proc_pid_stat(5), counted from the state, which is field 3

/** The state of process `pid`, by the kernel; `undefined` when there is none, or no `/proc` to ask. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined; // gone, which is an answer
  }
}

/** The pure part of `readProcessStat`. The name of a program may hold spaces and parentheses itself. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[START_TIME_AT]];
  return state && startTicks ? { state, startTicks } : undefined;
}
