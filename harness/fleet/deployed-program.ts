import { BUNDLE_FILES } from '../../kit/bundle-digest.ts';
import { FaultError } from '../../kit/errors.ts';
import { missing, type Observation, seen } from '../../proofs/observation.ts';
import { DEPLOYED_PATHS, DEPLOYED_UNITS } from './deployed-host.ts';
import type { ExecOptions, Host } from './host.ts';

type Limits = Pick<ExecOptions, 'budgetMs' | 'signal'>;

/** Tokens are at least this long; anything shorter is none. */
const SHORTEST_TOKEN_CHARS = 32;

/**
 * The bearer tokens of node and runner. They travel in the connection alone: in no argument, no file here, no message.
 * @throws FaultError `NOT_DEPLOYED`; what `Host.exec` throws
 */
export async function readTokens(
  host: Host,
  limits: Limits,
): Promise<{ readonly node: string; readonly runner: string }> {
  const [node, runner] = await Promise.all(
    [DEPLOYED_PATHS.apiToken, DEPLOYED_PATHS.controlToken].map(async (path) => {
      const { code, stdout } = await host.exec(['cat', path], { ...limits, as: 'root' });
      const token = stdout.trim();
      return code === 0 && token.length >= SHORTEST_TOKEN_CHARS ? token : null;
    }),
  );
  if (node && runner) return { node, runner };
  throw notDeployed(host, `${node ? DEPLOYED_PATHS.controlToken : DEPLOYED_PATHS.apiToken} holds no token`);
}

/**
 * Digest of the programs that the current release of `host` consists of, taken from the files there.
 * @throws FaultError `NOT_DEPLOYED`; what `Host.exec` throws
 */
export async function deployedBundle(host: Host, limits: Limits): Promise<string> {
  const argv = ['sh', '-s', '--', DEPLOYED_PATHS.program];
  const { stdout } = await host.exec(argv, { ...limits, stdin: DIGEST_PROGRAM, as: 'root' });
  const digest = digestIn(stdout);
  if (digest !== null) return digest;
  throw notDeployed(host, `${DEPLOYED_PATHS.program} does not hold the programs`);
}

function notDeployed(host: Host, why: string): FaultError {
  return new FaultError('NOT_DEPLOYED', `${host.name}: ${why}; "meshproof deploy" installs them`, {
    details: { host: host.name },
  });
}

/** As `bundleDigest`: names, sizes and contents, in its order. */
const DIGEST_PROGRAM = `
cd "$1" 2>/dev/null || exit 0
for file in ${BUNDLE_FILES.join(' ')}; do [ -f "$file" ] || exit 0; done
for file in ${BUNDLE_FILES.join(' ')}; do
  printf '%s\\0%s\\0' "$file" "$(stat -c %s "$file")"; cat "$file"
done | sha256sum
exit 0
`;

const RUNNING_PROGRAM = `
pid=$(systemctl show -p MainPID --value ${DEPLOYED_UNITS.node})
[ "\${pid:-0}" -gt 0 ] || { echo stopped; exit 0; }
exe=$(readlink "/proc/$pid/exe") || { echo stopped; exit 0; }
echo "exe $exe"
case $exe in ${DEPLOYED_PATHS.versions}/*/bin/node) ;; *) exit 0 ;; esac
set -- "\${exe%/bin/node}"
${DIGEST_PROGRAM}`;

/** Which program the node's own process is. */
export interface RunningProgram {
  /** Path of its executable, from `/proc`. */
  readonly executable: string;
  /** Of the programs in the version that the executable belongs to; null when it belongs to none. */
  readonly bundleSha256: string | null;
}

/** @throws what `Host.exec` throws */
export async function runningProgram(host: Host, limits: Limits): Promise<Observation<RunningProgram>> {
  const { stdout } = await host.exec(['sh', '-s'], { ...limits, stdin: RUNNING_PROGRAM, as: 'root' });
  const executable = /^exe (.+)$/m.exec(stdout)?.[1];
  if (executable !== undefined) return seen({ executable, bundleSha256: digestIn(stdout) });
  return stdout.startsWith('stopped')
    ? missing('absent', `no process of ${DEPLOYED_UNITS.node} runs`)
    : missing('unreadable', `the process of ${DEPLOYED_UNITS.node} could not be looked at`);
}

function digestIn(text: string): string | null {
  return /^([0-9a-f]{64}) /m.exec(text)?.[1] ?? null;
}

/** Arguments: the port in hex. A socket's inode is in the tables of its namespace, its owner under `/proc/PID/fd`. */
const UDP_HOLDER = `
pid=$(systemctl show -p MainPID --value ${DEPLOYED_UNITS.node})
[ "\${pid:-0}" -gt 0 ] || { echo stopped; exit 0; }
cat "/proc/$pid/net/udp" "/proc/$pid/net/udp6" 2>/dev/null | while read -r _ local _ _ _ _ _ _ _ inode _; do
  case $local in *:"$1") ;; *) continue ;; esac
  [ -n "$(find "/proc/$pid/fd" -maxdepth 1 -lname "socket:\\[$inode\\]" 2>/dev/null)" ] && echo held
done
echo looked
exit 0
`;

/**
 * Whether the main process of the node's unit itself holds UDP `port`, by the kernel's tables on the host.
 * @throws what `Host.exec` throws
 */
export async function nodeHoldsUdp(host: Host, port: number, limits: Limits): Promise<Observation<boolean>> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const argv = ['sh', '-s', '--', hex];
  const { stdout } = await host.exec(argv, { ...limits, stdin: UDP_HOLDER, as: 'root' });
  const words = stdout.split('\n');
  if (words.includes('held')) return seen(true);
  if (words.includes('looked') || words.includes('stopped')) return seen(false);
  return missing('unreadable', `the sockets of ${DEPLOYED_UNITS.node} could not be looked at`);
}
