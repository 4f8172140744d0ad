import type { Host } from '../fleet/host.ts';
import { DEPLOYED_UNITS } from './deployed-host.ts';
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
  await using session = await host.session([...journalctl(lines), '--follow'], { signal, as: 'root' });
  yield* session.lines;
  signal.throwIfAborted();
  const { code, stderr } = await session.ended;
  throw deployError(
    'DEPLOY_JOURNAL_UNREADABLE',
    host.name,
    stderr.trim() || `the journal ended (exit ${code ?? 'lost'})`,
  );
}
