import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { artifactOf } from '../harness/deploy/artifact.ts';
import { buildBundleFiles } from '../harness/deploy/bundle-files.ts';
import { bundleDigest } from '../kit/bundle-digest.ts';

it('two clean builds of one source tree, in different places, make byte-identical artifacts', async () => {
  const home = await mkdtemp(join(tmpdir(), 'meshproof-e2e-artifact-'));
  try {
    const root = join(import.meta.dirname, '..');
    const moved = join(home, 'moved');
    await copySources((await buildBundleFiles(root)).inputs, root, moved);
    const built = await Promise.all(
      [root, moved].map(async (from, index) => {
        const bundle = join(home, `bundle-${index}`);
        const { files } = await buildBundleFiles(from);
        await mkdir(bundle);
        for (const { name, contents } of files) await writeFile(join(bundle, name), contents);
        const programs = { nodeEntry: join(bundle, 'node.js'), sha256: bundleDigest(files) };
        return await artifactOf(programs, 'linux-x64', join(home, `cache-${index}`));
      }),
    );
    const bytes = await Promise.all(built.map(({ archive }) => readFile(archive)));
    expect(built[0]?.digest).toBe(built[1]?.digest);
    expect(bytes[0]?.equals(bytes[1] ?? Buffer.of())).toBe(true);
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
