import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { deployError } from './problem.ts';

/** A piece of POSIX shell that runs as root; its arguments arrive as `$1`, `$2`… and are never part of its text. */
export interface RemoteScript {
  /** What it does, for messages: "unpack the artifact". */
  readonly does: string;
  readonly text: string;
  /**
   * A script that only looks may run at any time. Others run one at a time: the step of a deployment that was killed
   * goes on to its end on the host, and the next deployment must not work between its lines.
   */
  readonly only?: 'looks';
}

/** How long one step may take, and what ends it early. */
export interface StepLimits {
  readonly budgetMs: number;
  readonly signal: AbortSignal;
}

/** The exit code by which a script says that bytes are not what their digest promises. */
export const DIGEST_MISMATCH = 71;
/** The exit code by which a script says that something which is not ours is in its way. */
export const IN_THE_WAY = 72;
/** The exit code by which `flock` says that the step of another deployment did not end in time. */
const STEP_GOES_ON = 73;

const SAID_MAX_CHARS = 400;

/**
 * Runs `script` on `host` and gives what it printed.
 * @throws FaultError `DEPLOY_DISK_FULL`, `DEPLOY_UPLOAD_CORRUPTED`, `DEPLOY_PATH_OCCUPIED`, `DEPLOY_LOCKED`, `DEPLOY_STEP_FAILED`, each
 * naming host, step and what was said; and what `Host.exec` throws
 */
export async function runScript(
  host: Host,
  { does, text, only }: RemoteScript,
  args: readonly string[],
  { budgetMs, signal }: StepLimits,
): Promise<string> {
  const shell = ['sh', '-eus', '--', ...args];
  const waitSecs = `${Math.floor(budgetMs / 2_000)}`;
  const alone = ['flock', '-E', `${STEP_GOES_ON}`, '-w', waitSecs, DEPLOYED_PATHS.stepLock, ...shell];
  const { code, stdout, stderr } = await host.exec(only === 'looks' ? shell : alone, {
    stdin: text,
    budgetMs,
    signal,
    as: 'root',
  });
  if (code === 0) return stdout;
  throw deployError(
    codeOfFailure(code, stderr),
    host.name,
    `could not ${does} (exit ${code}): ${lastWords(stderr)}`,
  );
}

function codeOfFailure(code: number, stderr: string): string {
  if (/no space left on device|disk quota exceeded/i.test(stderr)) return 'DEPLOY_DISK_FULL';
  if (code === DIGEST_MISMATCH) return 'DEPLOY_UPLOAD_CORRUPTED';
  if (code === STEP_GOES_ON) return 'DEPLOY_LOCKED';
  return code === IN_THE_WAY ? 'DEPLOY_PATH_OCCUPIED' : 'DEPLOY_STEP_FAILED';
}

function lastWords(stderr: string): string {
  const words = stderr.trim().split('\n').slice(-3).join('; ').slice(-SAID_MAX_CHARS);
  return words === '' ? 'it said nothing' : words;
}
