import { constants } from 'node:os';
import { FaultError } from '../../kit/errors.ts';
import { DEPLOYED_ROLES, DEPLOYED_UNITS, type DeployedRole } from './deployed-host.ts';
import type { ExecOptions, Host } from './host.ts';
import type { UnitSight } from './unit-watch.ts';

type Limits = Pick<ExecOptions, 'budgetMs' | 'signal'>;

const PROPERTIES = 'Id,ActiveState,MainPID,InvocationID,NRestarts';
const LAST_WORDS_MAX = 20;
/** `SD_MESSAGE_UNIT_PROCESS_EXIT` and `SD_MESSAGE_UNIT_SUCCESS` of sd-messages.h. */
const PROCESS_EXIT = '98e322203f7a4ed290d09fe03c09fe15';
const UNIT_SUCCESS = '7ad2d189f7e94e70a38c781354912448';

/**
 * The units of a deployment as systemd shows them now.
 * @throws FaultError `UNITS_UNREADABLE`; what `Host.exec` throws
 */
export async function lookAtUnits(host: Host, limits: Limits): Promise<readonly UnitSight[]> {
  const argv = ['systemctl', 'show', `--property=${PROPERTIES}`, ...Object.values(DEPLOYED_UNITS)];
  const { code, stdout, stderr } = await host.exec(argv, limits);
  if (code !== 0) {
    throw new FaultError(
      'UNITS_UNREADABLE',
      `${host.name}: systemctl show failed (${code}): ${stderr.trim()}`,
      { details: { host: host.name, code } },
    );
  }
  return parseUnits(stdout);
}

/** The pure part: a block of `Name=value` lines per unit, blocks parted by an empty line. */
export function parseUnits(text: string): readonly UnitSight[] {
  return text.split(/\n\n+/).flatMap((block) => {
    const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(block)?.[1] ?? '';
    const role = DEPLOYED_ROLES.find((one) => DEPLOYED_UNITS[one] === value('Id'));
    if (role === undefined) return [];
    return [
      {
        role,
        activeState: value('ActiveState'),
        mainPid: Number(value('MainPID')),
        invocation: value('InvocationID'),
        restarts: Number(value('NRestarts')),
      },
    ];
  });
}

/** How a process ended, and what it said last. */
export interface LastWords {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lines: readonly string[];
}

const READ_END = `
journalctl --no-pager --quiet --output=json --output-fields=MESSAGE_ID,EXIT_CODE,EXIT_STATUS "INVOCATION_ID=$1" 2>/dev/null
echo ===
journalctl --no-pager --quiet --output=cat --lines=$2 "_SYSTEMD_INVOCATION_ID=$1" 2>/dev/null
exit 0
`;

/**
 * What the journal knows of the process that the unit ran as `invocation`. Nulls where it does not tell.
 * @throws what `Host.exec` throws
 */
export async function lastWordsOf(
  host: Host,
  { role, invocation }: { readonly role: DeployedRole; readonly invocation: string },
  limits: Limits,
): Promise<LastWords> {
  if (!/^[0-9a-f]{32}$/.test(invocation)) {
    const line = `systemd started ${DEPLOYED_UNITS[role]} again between two looks`;
    return { code: null, signal: null, lines: [line] };
  }
  const argv = ['sh', '-s', '--', invocation, `${LAST_WORDS_MAX}`];
  const { stdout } = await host.exec(argv, { ...limits, stdin: READ_END, as: 'root' });
  return parseEnd(stdout);
}

/** The pure part: entries of systemd as JSON lines, then what the process wrote. */
export function parseEnd(text: string): LastWords {
  const [entries = '', words = ''] = text.split(/^===$/m);
  const lines = words.split('\n').filter(Boolean).slice(-LAST_WORDS_MAX);
  const records = entries.split('\n').filter(Boolean).map(parseEntry);
  const exit = records.findLast(({ id }) => id === PROCESS_EXIT);
  if (exit === undefined) {
    const isDone = records.some(({ id }) => id === UNIT_SUCCESS);
    return { code: isDone ? 0 : null, signal: null, lines };
  }
  if (exit.how === 'exited') return { code: exit.status, signal: null, lines };
  return { code: null, signal: signalName(exit.status), lines };
}

function parseEntry(line: string) {
  const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
  return {
    id: String(entry.MESSAGE_ID ?? ''),
    how: String(entry.EXIT_CODE ?? ''),
    status: Number(entry.EXIT_STATUS),
  };
}

function signalName(status: number): string {
  const found = Object.entries(constants.signals).find(([, number]) => number === status);
  return found?.[0] ?? `signal ${status}`;
}
