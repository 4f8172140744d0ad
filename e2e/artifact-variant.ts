import { join } from 'node:path';
import type { Artifact } from '../harness/deploy/artifact.ts';
import { readArchive, writeArchive } from '../harness/deploy/artifact-archive.ts';
import { type ArtifactManifest, MANIFEST_FILE, writeManifest } from '../harness/deploy/artifact-manifest.ts';
import { BUNDLE_FILES, bundleDigest } from '../kit/bundle-digest.ts';
import { sha256Hex } from '../kit/hash.ts';

/** An artifact as the next version of `artifact` would be: another node program, which does the same, and all else equal. */
export async function nextVersion(artifact: Artifact, home: string): Promise<Artifact> {
  const contents = new Map<string, Buffer>();
  for await (const { path, content } of readArchive(artifact.archive)) {
    const bytes = content instanceof Uint8Array ? [content] : await Array.fromAsync(content);
    contents.set(path, Buffer.concat(bytes));
  }
  const program = Buffer.concat([
    contents.get('node.js') ?? Buffer.of(),
    Buffer.from('\n// the next version\n'),
  ]);
  contents.set('node.js', program);
  const bundle = BUNDLE_FILES.map((name) => ({ name, contents: contents.get(name) ?? Buffer.of() }));
  const manifest: ArtifactManifest = {
    ...artifact.manifest,
    version: `${artifact.manifest.version}-next`,
    bundle_sha256: bundleDigest(bundle),
    files: artifact.manifest.files.map((file) =>
      file.path === 'node.js' ? { ...file, size: program.length, sha256: sha256Hex(program) } : file,
    ),
  };
  const { text, digest } = writeManifest(manifest);
  contents.set(MANIFEST_FILE, Buffer.from(text));
  const archive = join(home, `${digest}.tar.gz`);
  await writeArchive(archive, entriesOf(manifest, contents));
  return { digest, manifest, manifestText: text, archive };
}

async function* entriesOf({ files }: ArtifactManifest, contents: ReadonlyMap<string, Buffer>) {
  for (const { path, mode } of [{ path: MANIFEST_FILE, mode: 0o644 }, ...files]) {
    const content = contents.get(path) ?? Buffer.of();
    yield { path, mode, size: content.length, content };
  }
}
