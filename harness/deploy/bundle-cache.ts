import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleFile, bundleDigest, digestOfStored } from '../../kit/bundle-digest.ts';
import { codeOf } from '../../kit/errors.ts';
import type { BuiltBundle } from './bundle-files.ts';
import { type BundleInputs, bundleInputsSchema, fingerprintInputs, InputCheck } from './bundle-inputs.ts';
import { bundlesByUse, markInUse, pruneBundles } from './bundle-prune.ts';

const INPUTS_FILE = 'inputs.json';

interface BundleCacheModules {
  readonly root: string;
  readonly cache: string;
  readonly build: (root: string) => Promise<BuiltBundle>;
  readonly wallMs: () => number;
}

/** A bundle on disk: its directory, and the digest of the bytes that lie there now. */
export interface StoredBundle {
  readonly home: string;
  readonly sha256: string;
}

/**
 * The bundle of the sources under `root` as they are now: one of `cache` when it was made from exactly these files,
 * else a fresh one that is put there. Any number of processes may do so at once; each bundle appears whole or not.
 */
export async function cachedBundle(modules: BundleCacheModules): Promise<StoredBundle> {
  const { root, cache, wallMs } = modules;
  await mkdir(join(cache, 'in-use'), { recursive: true });
  const bundle = (await findUnchanged(root, cache)) ?? (await buildAndStore(modules));
  await utimes(bundle.home, wallMs() / 1_000, wallMs() / 1_000);
  await pruneBundles(cache, wallMs());
  return bundle;
}

async function findUnchanged(root: string, cache: string): Promise<StoredBundle | undefined> {
  const check = new InputCheck(root);
  for (const sha256 of await bundlesByUse(cache)) {
    const home = join(cache, sha256);
    const inputs = await readInputs(home);
    if (inputs === undefined || !(await check.areUnchanged(inputs))) continue;
    await markInUse(cache, sha256); // from here on nobody prunes it
    if ((await digestOfStored(home)) === sha256) return { home, sha256 };
  }
  return undefined;
}

/** `undefined` where there is nothing that can be trusted: such a bundle is built again. */
async function readInputs(home: string): Promise<BundleInputs | undefined> {
  try {
    return bundleInputsSchema.safeParse(JSON.parse(await readFile(join(home, INPUTS_FILE), 'utf8'))).data;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function buildAndStore({ root, cache, build, wallMs }: BundleCacheModules): Promise<StoredBundle> {
  const startedMs = wallMs();
  const { files, inputs } = await build(root);
  const sha256 = bundleDigest(files);
  const home = join(cache, sha256);
  await markInUse(cache, sha256);
  if ((await digestOfStored(home)) !== sha256) await store(files, home);
  const fingerprints = await fingerprintInputs(root, inputs, startedMs);
  if (fingerprints !== undefined) {
    const written = join(home, `${INPUTS_FILE}.${randomUUID()}`);
    await writeFile(written, JSON.stringify(fingerprints));
    await rename(written, join(home, INPUTS_FILE));
  }
  return { home, sha256 };
}

async function store(files: readonly BundleFile[], home: string): Promise<void> {
  const building = `${home}.${randomUUID()}.building`;
  await mkdir(building);
  for (const { name, contents } of files) await writeFile(join(building, name), contents);
  try {
    await rename(building, home);
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
    // Either another process finished the same bundle meanwhile, or what lies there is damaged: file by file, ours
    // replaces equal bytes or mends the others, and no moment is without a whole program.
    for (const { name } of files) await rename(join(building, name), join(home, name));
    await rm(building, { recursive: true });
  }
}
