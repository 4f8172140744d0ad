import type { Host } from '../fleet/host.ts';
import { deployError } from './problem.ts';

/** A piece of POSIX shell that runs as root; its arguments arrive as `$1`, `$2`… and are never part of its text. */
export interface RemoteScript {
  /** What it does, for messages: "unpack the artifact". */
  readonly does: string;
  readonly text: string;
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

const SAID_MAX_CHARS = 400;

/**
 * Runs `script` on `host` and gives what it printed.
 * @throws FaultError `DEPLOY_DISK_FULL`, `DEPLOY_UPLOAD_CORRUPTED`, `DEPLOY_PATH_OCCUPIED`, `DEPLOY_STEP_FAILED`, each
 * naming host, step and what was said; and what `Host.exec` throws
 */
export async function runScript(
  host: Host,
  { does, text }: RemoteScript,
  args: readonly string[],
  { budgetMs, signal }: StepLimits,
): Promise<string> {
  const { code, stdout, stderr } = await host.exec(['sh', '-eus', '--', ...args], {
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
  if (code === DIGEST_MISMATCH) return 'DEPLOY_UPLOAD_CORRUPTED';
  if (code === IN_THE_WAY) return 'DEPLOY_PATH_OCCUPIED';
  return /no space left on device|disk quota exceeded/i.test(stderr)
    ? 'DEPLOY_DISK_FULL'
    : 'DEPLOY_STEP_FAILED';
}

function lastWords(stderr: string): string {
  const words = stderr.trim().split('\n').slice(-3).join('; ').slice(-SAID_MAX_CHARS);
  return words === '' ? 'it said nothing' : words;
}
