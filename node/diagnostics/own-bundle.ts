import { basename, dirname } from 'node:path';
import { BUNDLE_FILES, digestOfStored } from '../../kit/bundle-digest.ts';

const NODE_PROGRAM = BUNDLE_FILES[0];

/**
 * The digest of the bundle that `program` runs from, taken from the files beside it as they are now; null when it is
 * no bundled node, or when its companions are missing or cannot be read: then nobody can say which bundle it is.
 */
export async function ownBundleDigest(program: string): Promise<string | null> {
  if (basename(program) !== NODE_PROGRAM) return null;
  try {
    return (await digestOfStored(dirname(program))) ?? null;
  } catch {
    return null; // unreadable is unknown, which never passes for a match
  }
}
