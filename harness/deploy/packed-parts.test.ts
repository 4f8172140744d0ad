import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import { readArchive, writeArchive } from './artifact-archive.ts';
import { writeManifest } from './artifact-manifest.ts';
import { ARTIFACT } from './fixture-deployment.ts';
import { PackedParts } from './packed-parts.ts';

const FILES = { 'bin/node': 'a runtime', 'node.js': 'a program', 'runner.js': 'another' };

it('packs the same files once for all hosts, and removes what it packed', async () => {
  const home = await mkdtemp(join(tmpdir(), 'meshproof-parts-'));
  try {
    const archive = join(home, 'whole.tar.gz');
    const entries = Object.entries(FILES).map(([path, text]) => {
      const content = Buffer.from(text);
      return { path, mode: 0o644 as const, size: content.length, content };
    });
    await writeArchive(
      archive,
      (async function* () {
        yield* entries;
      })(),
    );
    const files = entries.map(({ path, mode, size, content }) => ({
      path,
      mode,
      size,
      sha256: sha256Hex(content),
    }));
    const manifest = { ...ARTIFACT.manifest, files };
    const { text, digest } = writeManifest(manifest);
    const parts = new PackedParts({ digest, manifest, manifestText: text, archive });

    expect(await parts.fileOf(Object.keys(FILES))).toBe(archive);
    const asked = [['node.js', 'runner.js'], ['runner.js', 'node.js'], ['node.js']];
    const [both = '', again, one = ''] = await Promise.all(asked.map((paths) => parts.fileOf(paths)));
    expect(again).toBe(both);
    expect(await pathsIn(both)).toEqual(['node.js', 'runner.js']);
    expect(await pathsIn(one)).toEqual(['node.js']);
    await parts[Symbol.asyncDispose]();
    expect(existsSync(dirname(both))).toBe(false);
    expect(existsSync(archive)).toBe(true);
  } finally {
    await rm(home, { recursive: true });
  }
});

async function pathsIn(file: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const { path } of readArchive(file)) paths.push(path);
  return paths;
}
