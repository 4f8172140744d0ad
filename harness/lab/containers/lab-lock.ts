import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeadlineError, until } from '../../../kit/deadline.ts';
import { codeOf, FaultError } from '../../../kit/errors.ts';
import { type ProcessId, processSchema } from './lab-state.ts';
import { identifyProcess, isRunning } from './process-id.ts';

const PATIENCE_MS = 5_000; // a command that was told to end gets that long
const POLL_MS = 50;

/**
 * Keeps other commands off a lab while this one changes it. A lock whose process has gone, however it ended, is void.
 * @throws FaultError `LAB_BUSY` naming the process that holds it
 */
export async function lockLab(
  dir: string,
  { signal, patienceMs = PATIENCE_MS }: { readonly signal: AbortSignal; readonly patienceMs?: number },
): Promise<AsyncDisposable> {
  const file = join(dir, 'lab.lock');
  const fresh = `${file}.${process.pid}`;
  await writeFile(fresh, JSON.stringify(await identifyProcess(process.pid)), { mode: 0o600 });
  let holder: ProcessId | null = null;
  try {
    await until(
      'the lock of the lab',
      async () => {
        if (await linked(fresh, file)) return true;
        holder = await readHolder(file);
        if (holder !== null && (await isRunning(holder))) return undefined;
        await rm(file, { force: true });
        return (await linked(fresh, file)) || undefined;
      },
      { budgetMs: patienceMs, everyMs: POLL_MS, signal },
    );
    return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    const who = holder === null ? '' : `: process ${(holder as ProcessId).pid}`;
    throw new FaultError('LAB_BUSY', `another lab command is at work in ${dir}${who}`, { cause: error });
  } finally {
    await rm(fresh, { force: true });
  }
}

/** Makes the lock, whole at once, where there is none. */
async function linked(fresh: string, file: string): Promise<boolean> {
  try {
    await link(fresh, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Who holds the lock; `null` when it has gone meanwhile, or says nothing that can be understood. */
async function readHolder(file: string): Promise<ProcessId | null> {
  try {
    return processSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return null;
  }
}
