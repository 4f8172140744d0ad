import { gzipSync } from 'node:zlib';
import { sha256Hex } from '../../kit/hash.ts';
import { SANDBOX } from '../deploy/unit-files.ts';
import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';

/** What the names of all our units of outsiders begin with, of any run and version. */
export const UNIT_PREFIX = 'meshproof-outsiders-';

export function outsidersUnit(runId: string, ordinal: number): string {
  return `${UNIT_PREFIX}${runId}-${ordinal}`;
}

/**
 * Takes the program as the first line of standard input, into the unit's own directory in memory, and becomes it when it
 * has the expected digest. The rest of standard input is the program's: the shell reads no further than that line.
 */
const BECOME = `set -eu
cd "$RUNTIME_DIRECTORY"
IFS= read -r packed
printf %s "$packed" | base64 -d | gzip -d >outsiders.js
echo "$1  outsiders.js" | sha256sum -c >/dev/null
ln -s ${DEPLOYED_PATHS.program}/node_modules node_modules
exec ${DEPLOYED_PATHS.nodeBinary} outsiders.js`;

/** A hung program is killed after this; three signs of life are due in that time. */
const WATCHDOG_SECS = 20;

/**
 * The command that runs the outsiders' program on a deployed host, as root, for as long as it is spoken to. What it runs as,
 * its directory and itself are the unit's, and gone with it: nothing of it is ever on the host's disk.
 */
export function outsidersCommand(unit: string, program: Uint8Array): readonly string[] {
  const properties = [
    ...SANDBOX.split('\n'),
    'DynamicUser=yes',
    `RuntimeDirectory=${unit}`,
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX',
    'NotifyAccess=all',
    `WatchdogSec=${WATCHDOG_SECS}`,
    'TimeoutStopSec=5',
    'MemoryMax=512M',
    'LimitCORE=0',
    'LimitNOFILE=8192',
    'TasksMax=128',
  ];
  return [
    'systemd-run',
    `--unit=${unit}`,
    '--description=meshproof outsiders, for the time of a test',
    '--service-type=exec',
    ...['--pipe', '--wait', '--collect', '--quiet'],
    ...properties.map((property) => `--property=${property}`),
    '--',
    // systemd puts variables of its own in place of `$NAME` before the shell sees the words; `$$` is a `$`.
    ...['sh', '-c', BECOME, 'sh', sha256Hex(program)].map((word) => word.replaceAll('$', '$$$$')),
  ];
}

/** The program as the line that the command takes first. */
export function programLine(program: Uint8Array): string {
  return gzipSync(program).toString('base64');
}
