import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfStored } from '../../kit/bundle-digest.ts';
import { realClock } from '../../kit/clock.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { cachedBundle, type StoredBundle } from './bundle-cache.ts';

/** The programs that run on every host, content-addressed. */
export interface NodeBundle {
  readonly nodeEntry: string;
  readonly runnerEntry: string;
  readonly sha256: string;
}

/**
 * The bundle to run: the prebuilt one of an installed package, or one built from the checkout's sources and kept
 * under `node_modules/.cache/meshproof/<digest>` so that an unchanged tree need not be built again. Its digest is
 * taken from the bytes on disk, never from what somebody noted about them.
 * @throws FaultError `BUNDLE_DAMAGED` or `BUNDLE_BUILD_FAILED`
 */
export async function ensureBundle(): Promise<NodeBundle> {
  // The built command stands in dist/, beside the bundle; this source has no such neighbour.
  const prebuilt = join(import.meta.dirname, 'bundle');
  const { home, sha256 } = existsSync(prebuilt) ? await checkedBundle(prebuilt) : await bundleOfSources();
  return { nodeEntry: join(home, 'node.js'), runnerEntry: join(home, 'runner.js'), sha256 };
}

async function checkedBundle(home: string): Promise<StoredBundle> {
  const promised = await readFile(join(home, 'digest'), 'utf8').then(
    (text) => text.trim(),
    () => 'unreadable', // equals no digest
  );
  const sha256 = await digestOfStored(home);
  if (sha256 === undefined || sha256 !== promised) {
    throw new FaultError(
      'BUNDLE_DAMAGED',
      `${home} is not the bundle that was packed; install meshproof again`,
      {
        details: { home, promised, found: sha256 ?? null },
      },
    );
  }
  return { home, sha256 };
}

async function bundleOfSources(): Promise<StoredBundle> {
  const root = join(import.meta.dirname, '../..');
  const cache = join(root, 'node_modules/.cache/meshproof');
  try {
    return await cachedBundle({
      root,
      cache,
      // Only a build needs esbuild, which an installed package does not have.
      build: async (from) => (await import('./bundle-files.ts')).buildBundleFiles(from),
      wallMs: realClock.wallMs,
    });
  } catch (error) {
    throw new FaultError(
      'BUNDLE_BUILD_FAILED',
      `the node bundle could not be built from ${root}: ${messageOf(error).split('\n')[0]}`,
      { cause: error },
    );
  }
}
