import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../kit/errors.ts';

const KEPT_BUNDLES = 8;
const ABANDONED_AFTER_MS = 3_600_000; // a build takes seconds
const BUNDLE_NAME = /^[0-9a-f]{64}$/;
const MARK_NAME = /^([0-9a-f]{64})\.(\d+)$/;

const marksOf = (cache: string) => join(cache, 'in-use');

/** Says that this process runs `sha256`: a soak of days may have to start its nodes again from there. */
export async function markInUse(cache: string, sha256: string): Promise<void> {
  await mkdir(marksOf(cache), { recursive: true });
  await writeFile(join(marksOf(cache), `${sha256}.${process.pid}`), '');
}

/** The bundles of the cache, the most recently used first. */
export async function bundlesByUse(cache: string): Promise<readonly string[]> {
  const names = (await readdir(cache)).filter((name) => BUNDLE_NAME.test(name));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, usedMs: await modifiedMs(join(cache, name)) })),
  );
  return dated.toSorted((a, b) => b.usedMs - a.usedMs).map(({ name }) => name);
}

/** Removes all but the 8 most recently used bundles and those that a living process runs, and abandoned builds. */
export async function pruneBundles(cache: string, nowMs: number): Promise<void> {
  const inUse = await bundlesInUse(cache);
  const surplus = (await bundlesByUse(cache)).slice(KEPT_BUNDLES).filter((name) => !inUse.has(name));
  const abandoned: string[] = [];
  for (const name of await readdir(cache)) {
    if (!name.endsWith('.building')) continue;
    if (nowMs - (await modifiedMs(join(cache, name))) > ABANDONED_AFTER_MS) abandoned.push(name);
  }
  for (const name of [...surplus, ...abandoned])
    await rm(join(cache, name), { recursive: true, force: true });
}

async function bundlesInUse(cache: string): Promise<ReadonlySet<string>> {
  const inUse = new Set<string>();
  for (const mark of await readdir(marksOf(cache))) {
    const [, sha256, pid] = MARK_NAME.exec(mark) ?? [];
    if (sha256 !== undefined && isRunning(Number(pid))) inUse.add(sha256);
    else await rm(join(marksOf(cache), mark), { force: true });
  }
  return inUse;
}

/** 0 for what another process has removed meanwhile. */
async function modifiedMs(path: string): Promise<number> {
  return (await stat(path, { throwIfNoEntry: false }))?.mtimeMs ?? 0;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM'; // somebody else's, but running
  }
}
