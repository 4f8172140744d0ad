import { execa } from 'execa';
import { FaultError, messageOf } from '../../../kit/errors.ts';

interface CommandOptions {
  readonly input?: string;
  readonly budgetMs?: number;
  readonly signal: AbortSignal;
}

/** Where Debian and its like keep the programs of the system; the operator's own path is not the host's. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const BUDGET_MS = 15_000; // each of these is one answer of the kernel; a busy machine gets time

/**
 * Runs a program of the system and gives what it printed.
 * @throws FaultError `LAB_STEP` naming the command and its own words when it fails or takes too long
 */
export async function systemCommand(
  argv: readonly [string, ...string[]],
  { input = '', budgetMs = BUDGET_MS, signal }: CommandOptions,
): Promise<string> {
  const [program, ...args] = argv;
  const result = await execa(program, args, {
    input,
    timeout: budgetMs,
    cancelSignal: signal,
    reject: false,
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
  });
  signal.throwIfAborted();
  if (!result.failed) return result.stdout;
  const said = result.stderr.trim().split('\n').at(-1) ?? '';
  const why = result.timedOut ? `no answer in ${budgetMs} ms` : said || result.shortMessage;
  throw new FaultError('LAB_STEP', `\`${argv.join(' ')}\` failed: ${why}`, {
    details: { argv: [...argv], input, stderr: result.stderr.slice(-2_000) },
    cause: result,
  });
}

/** Tries something out: what a program of the system said when it failed, `undefined` when it did not. */
export async function whyNot(
  argv: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await systemCommand(argv, { signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof FaultError ? String(error.details.stderr).trim().replaceAll('\n', ' ') : '';
    return said || messageOf(error);
  }
}
