import { readFile } from 'node:fs/promises';
import { codeOf } from '../../kit/errors.ts';
import { type RunCommand, succeed } from './run-command.ts';

/** What systemd and `/proc` say of a service. */
export interface UnitState {
  readonly state: 'running' | 'paused' | 'stopped' | 'gone';
  readonly pid: number | null;
  /** When its main process, running or last, was started, on the monotonic clock; 0 when systemd does not know. */
  readonly startedUsec: number;
  /** After which silence systemd kills it; null without a watchdog. */
  readonly watchdogUsec: number | null;
  /** Services that systemd stops with it: they require it, are bound to it or part of it. */
  readonly dependents: readonly string[];
}

/** The letter of `/proc/PID/stat`: `T` is stopped by a signal. Null when there is no such process. */
export type ReadProcessLetter = (pid: number) => Promise<string | null>;

const PROPERTIES = [
  'LoadState',
  'ActiveState',
  'MainPID',
  'ExecMainStartTimestampMonotonic',
  'WatchdogUSec',
  'RequiredBy',
  'BoundBy',
  'ConsistsOf',
];

export async function readUnitState(
  unit: string,
  { run, readLetter }: { readonly run: RunCommand; readonly readLetter: ReadProcessLetter },
): Promise<UnitState> {
  const shown = propertiesIn(
    await succeed(run, ['systemctl', 'show', `--property=${PROPERTIES.join(',')}`, unit]),
  );
  const pid = Number(shown.get('MainPID') ?? 0);
  const letter = pid > 0 ? await readLetter(pid) : null;
  const words = ['RequiredBy', 'BoundBy', 'ConsistsOf'].flatMap((name) => (shown.get(name) ?? '').split(' '));
  return {
    state: stateOf(shown, letter),
    pid: letter === null ? null : pid,
    startedUsec: Number(shown.get('ExecMainStartTimestampMonotonic') ?? 0),
    watchdogUsec: timeSpanUsec(shown.get('WatchdogUSec') ?? '0'),
    dependents: [...new Set(words.filter((word) => word.endsWith('.service') && word !== unit))],
  };
}

function stateOf(shown: ReadonlyMap<string, string>, letter: string | null): UnitState['state'] {
  if (shown.get('LoadState') === 'not-found') return 'gone';
  if (letter === 'T') return 'paused';
  if (letter !== null && letter !== 'Z' && letter !== 'X') return 'running';
  return 'stopped';
}

/** Reads `systemctl show`: a `Name=value` per line. */
function propertiesIn(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

const USEC: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  min: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
  w: 604_800_000_000,
};

/** A time span as systemd writes it, "1min 30s". Null when it is none: `0` or `infinity`. */
export function timeSpanUsec(text: string): number | null {
  const parts = [...text.matchAll(/([\d.]+)([a-z]+)/g)];
  const usec = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (USEC[unit ?? ''] ?? 0), 0);
  return usec > 0 ? Math.round(usec) : null;
}

export const readProcessLetter: ReadProcessLetter = async (pid) => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything, parentheses too.
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return null;
    throw error;
  }
};
