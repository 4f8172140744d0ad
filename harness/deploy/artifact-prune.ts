import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const KEPT_ARTIFACTS = 4; // about 50 MB each
const DIGEST = /^[0-9a-f]{64}$/;

/** Removes all but the 4 most recently used artifacts; never `inUse`. */
export async function pruneArtifacts(cache: string, inUse: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => DIGEST.test(name) && name !== inUse);
  const dated = await Promise.all(
    names.map(async (name) => {
      const stats = await stat(join(cache, name), { bigint: false }).catch(() => undefined);
      return { name, usedMs: stats?.mtimeMs ?? 0 }; // gone meanwhile: another process removed it
    }),
  );
  const surplus = dated.toSorted((a, b) => b.usedMs - a.usedMs).slice(KEPT_ARTIFACTS - 1);
  for (const { name } of surplus) await rm(join(cache, name), { recursive: true, force: true });
}
