import { createHash } from 'node:crypto';

/** One program of the bundle, by its name beside the others. */
export interface BundleFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** The programs that run on every host, in the order in which they are digested. */
export const BUNDLE_FILES = ['node.js', 'runner.js', 'signing-worker.js'] as const;

/** SHA-256 over names, sizes and contents: equal digests mean equal programs. */
export function bundleDigest(files: readonly BundleFile[]): string {
  const digest = createHash('sha256');
  for (const { name, contents } of files) digest.update(`${name}\0${contents.length}\0`).update(contents);
  return digest.digest('hex');
}
