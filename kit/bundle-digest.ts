import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from './errors.ts';

/** One program of the bundle, by its name beside the others. */
export interface BundleFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** The programs that run on every host, in the order in which they are digested. */
export const BUNDLE_FILES = ['node.js', 'runner.js', 'signing-worker.js', 'faults.js'] as const;

/** SHA-256 over names, sizes and contents: equal digests mean equal programs. */
export function bundleDigest(files: readonly BundleFile[]): string {
  const digest = createHash('sha256');
  for (const { name, contents } of files) digest.update(`${name}\0${contents.length}\0`).update(contents);
  return digest.digest('hex');
}

/** The digest of the programs that lie in `home`; `undefined` when one of them is not there. */
export async function digestOfStored(home: string): Promise<string | undefined> {
  try {
    const files: BundleFile[] = await Promise.all(
      BUNDLE_FILES.map(async (name) => ({ name, contents: await readFile(join(home, name)) })),
    );
    return bundleDigest(files);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
