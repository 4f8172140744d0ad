import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { artifactOf, ensureArtifact } from '../harness/deploy/artifact.ts';
import { buildBundleFiles } from '../harness/deploy/bundle-files.ts';
import { bundleDigest } from '../kit/bundle-digest.ts';

it('clean builds of one source tree, in different places, make byte-identical artifacts', async () => {
  const home = await mkdtemp(join(tmpdir(), 'meshproof-e2e-artifact-'));
  try {
    const root = join(import.meta.dirname, '..');
    const moved = join(home, 'moved');
    await copySources((await buildBundleFiles(root)).inputs, root, moved);
    const bundle = join(home, 'bundle');
    const { files } = await buildBundleFiles(moved);
    await mkdir(bundle);
    for (const { name, contents } of files) await writeFile(join(bundle, name), contents);
    const programs = { nodeEntry: join(bundle, 'node.js'), sha256: bundleDigest(files) };
    const there = await artifactOf(programs, 'linux-x64', join(home, 'cache'));
    const here = await ensureArtifact('linux-x64'); // the one that all tests of this checkout share
    expect(there.digest).toBe(here.digest);
    expect((await readFile(there.archive)).equals(await readFile(here.archive))).toBe(true);
  } finally {
    await rm(home, { recursive: true });
  }
});

/** Copies the files that a build reads, with the `package.json` of every directory above them. */
async function copySources(inputs: readonly string[], from: string, to: string): Promise<void> {
  const files = new Set(['tsconfig.json']);
  for (const input of inputs) {
    files.add(input);
    for (let above = dirname(input); ; above = dirname(above)) {
      files.add(join(above, 'package.json'));
      if (above === '.') break;
    }
  }
  for (const file of files)
    if (existsSync(join(from, file))) await cp(join(from, file), join(to, file), { recursive: true });
}
