import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FaultError } from '../../kit/errors.ts';

/** The programs that run on every host, content-addressed. */
export interface NodeBundle {
  readonly nodeEntry: string;
  readonly runnerEntry: string;
  readonly sha256: string;
}

/**
 * The bundle to run: the prebuilt one of an installed package, or one built from the checkout's sources and kept
 * under `node_modules/.cache/meshproof/<digest>` so that an unchanged tree builds to the same place.
 * @throws FaultError `BUNDLE_BUILD_FAILED`
 */
export async function ensureBundle(): Promise<NodeBundle> {
  const prebuilt = join(import.meta.dirname, 'bundle');
  if (existsSync(join(prebuilt, 'digest'))) {
    return bundleAt(prebuilt, (await readFile(join(prebuilt, 'digest'), 'utf8')).trim());
  }
  const root = join(import.meta.dirname, '../..');
  try {
    const { buildBundleFiles, bundleDigest } = await import('./bundle-files.ts');
    const files = await buildBundleFiles(root);
    const sha256 = bundleDigest(files);
    const home = join(root, 'node_modules/.cache/meshproof', sha256);
    if (!existsSync(home)) {
      const building = `${home}.${process.pid}`;
      await mkdir(building, { recursive: true });
      for (const file of files) await writeFile(join(building, file.name), file.contents);
      // Another run may have finished the same bundle meanwhile; its files are equal.
      await rename(building, home).catch((error: unknown) => {
        if (!existsSync(home)) throw error;
      });
    }
    return bundleAt(home, sha256);
  } catch (error) {
    throw new FaultError('BUNDLE_BUILD_FAILED', 'the node bundle could not be built from the sources', {
      cause: error,
    });
  }
}

function bundleAt(home: string, sha256: string): NodeBundle {
  return { nodeEntry: join(home, 'node.js'), runnerEntry: join(home, 'runner.js'), sha256 };
}
