import { randomUUID } from 'node:crypto';
import { cp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundleDigest } from '../kit/bundle-digest.ts';
import { realClock } from '../kit/clock.ts';
import { buildDist } from '../scripts/build-dist.ts';

const ROOT = join(import.meta.dirname, '..');
const CACHE = join(ROOT, 'node_modules/.cache'); // under node_modules, where what is built finds its dependencies
const KEPT_MS = 24 * 3_600_000;

declare module 'vitest' {
  interface ProvidedContext {
    /** The launcher of the command as the package ships it. */
    readonly meshproof: string;
  }
}

/**
 * Builds the command once for all process-level tests, as the package ships it: it is what operators start, and starts in a third of
 * the time that its sources take. It lies in a directory named by its contents, so that a build never changes one that is in use.
 */
export default async function setup(project: TestProject): Promise<void> {
  const commands = join(CACHE, 'meshproof/commands');
  const building = join(commands, `${randomUUID()}.building`);
  await buildDist(ROOT, join(building, 'dist'));
  await cp(join(ROOT, 'bin'), join(building, 'bin'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(building, 'package.json'));
  const home = join(commands, await digestOf(building));
  // Another process that made the same may have been faster.
  await rename(building, home).catch(() => rm(building, { recursive: true }));
  await prune(commands, home);
  project.provide('meshproof', join(home, 'bin/meshproof.mjs'));
  // What an installed package keeps in the user's cache stays in the checkout's: compiled code and artifacts.
  process.env.XDG_CACHE_HOME = CACHE;
}

async function digestOf(home: string): Promise<string> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return bundleDigest(
    await Promise.all(
      paths
        .toSorted()
        .map(async (path) => ({ name: path.slice(home.length), contents: await readFile(path) })),
    ),
  );
}

async function prune(commands: string, current: string): Promise<void> {
  const nowMs = realClock.wallMs();
  await utimes(current, nowMs / 1_000, nowMs / 1_000);
  for (const name of await readdir(commands)) {
    const home = join(commands, name);
    if ((await stat(home)).mtimeMs < nowMs - KEPT_MS) await rm(home, { recursive: true, force: true });
  }
}
