import { readFile } from 'node:fs/promises';
import { codeOf } from '../../../kit/errors.ts';
import { readProcessStat } from '../process-stat.ts';
import type { ProcessId } from './lab-state.ts';

const GONE = ['ENOENT', 'ESRCH', 'ENODEV']; // the last: a control group removed after it was opened
/** The name for ever of the process that has this pid now; `undefined` when there is none, or only its remains. */
export async function identifyProcess(pid: number): Promise<ProcessId | undefined> {
  const stat = readProcessStat(pid);
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return { pid, start_ticks: Number(stat.startTicks), boot_id: bootId };
}

/** Whether that very process still runs; another one with its pid is not it. */
export async function isRunning(process: ProcessId): Promise<boolean> {
  const now = await identifyProcess(process.pid);
  return now !== undefined && now.start_ticks === process.start_ticks && now.boot_id === process.boot_id;
}

/** Reads a file of /proc; `undefined` when its process has gone. */
export async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (GONE.includes(codeOf(error))) return undefined;
    throw error;
  }
}
