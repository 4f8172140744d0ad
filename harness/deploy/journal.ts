import { DEPLOYED_UNITS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import { deployError } from './problem.ts';

const READ_BUDGET_MS = 30_000;

const journalctl = (lines: number) => [
  'journalctl',
  '--no-pager',
  '--quiet',
  '--output=short-iso',
  `--lines=${lines}`,
  ...Object.values(DEPLOYED_UNITS).map((unit) => `--unit=${unit}`),
];

/** A journal that is followed ends at its next line at the earliest: so whoever ends the session has to end it, too. */
const UNTIL_STDIN_ENDS =
  'exec 3<&0; "$@" & reader=$!; { cat <&3; kill "$reader"; } >/dev/null 2>&1 & wait "$reader"';

/**
 * The latest lines of node and runner.
 * @throws FaultError `DEPLOY_JOURNAL_UNREADABLE`, and what `Host.exec` throws
 */
export async function* readLogs(host: Host, lines: number, signal: AbortSignal): AsyncGenerator<string> {
  const limits = { budgetMs: READ_BUDGET_MS, signal };
  const { code, stdout, stderr } = await host.exec(journalctl(lines), { ...limits, as: 'root' });
  if (code !== 0) throw deployError('DEPLOY_JOURNAL_UNREADABLE', host.name, stderr.trim() || `exit ${code}`);
  yield* stdout.split('\n').filter((line) => line !== '');
}

/**
 * The latest lines, then each as it is written, until `signal` aborts.
 * @throws FaultError `DEPLOY_JOURNAL_UNREADABLE` when it ends before, and what `Host.session` throws
 */
export async function* followLogs(host: Host, lines: number, signal: AbortSignal): AsyncGenerator<string> {
  const argv = ['sh', '-c', UNTIL_STDIN_ENDS, 'sh', ...journalctl(lines), '--follow'];
  await using session = await host.session(argv, { signal, as: 'root' });
  const stop = () => void session[Symbol.asyncDispose]();
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    yield* session.lines;
  } finally {
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted(); // how the lines end then is of no interest
  }
  const { code, stderr } = await session.ended;
  throw deployError(
    'DEPLOY_JOURNAL_UNREADABLE',
    host.name,
    stderr.trim() || `the journal ended (exit ${code ?? 'lost'})`,
  );
}
