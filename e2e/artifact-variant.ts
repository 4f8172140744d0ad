import { join } from 'node:path';
import type { Artifact } from '../harness/deploy/artifact.ts';
import { type ArchiveEntry, readArchive, writeArchive } from '../harness/deploy/artifact-archive.ts';
import { type ArtifactManifest, MANIFEST_FILE, writeManifest } from '../harness/deploy/artifact-manifest.ts';
import { BUNDLE_FILES, bundleDigest } from '../kit/bundle-digest.ts';
import { sha256Hex } from '../kit/hash.ts';

const CHANGED = BUNDLE_FILES[0];

/**
 * An artifact as the next version of `artifact` would be: another node program, which does the same, and all else equal.
 * Its archive holds only what differs, for hosts that have `artifact`.
 */
export async function nextVersion(artifact: Artifact, home: string): Promise<Artifact> {
  const programs = new Map<string, Buffer>();
  for await (const { path, content } of readArchive(artifact.archive)) {
    if (!BUNDLE_FILES.some((name) => name === path)) continue;
    programs.set(
      path,
      Buffer.concat(content instanceof Uint8Array ? [content] : await Array.fromAsync(content)),
    );
  }
  const program = Buffer.concat([
    programs.get(CHANGED) ?? Buffer.of(),
    Buffer.from('\n// the next version\n'),
  ]);
  programs.set(CHANGED, program);
  const bundle = BUNDLE_FILES.map((name) => ({ name, contents: programs.get(name) ?? Buffer.of() }));
  const manifest: ArtifactManifest = {
    ...artifact.manifest,
    version: `${artifact.manifest.version}-next`,
    bundle_sha256: bundleDigest(bundle),
    files: artifact.manifest.files.map((file) =>
      file.path === CHANGED ? { ...file, size: program.length, sha256: sha256Hex(program) } : file,
    ),
  };
  const { text, digest } = writeManifest(manifest);
  const archive = join(home, `${digest}.tar.gz`);
  const entry = (path: string, content: Buffer): ArchiveEntry => ({
    path,
    mode: 0o644,
    size: content.length,
    content,
  });
  await writeArchive(
    archive,
    (async function* () {
      yield entry(MANIFEST_FILE, Buffer.from(text));
      yield entry(CHANGED, program);
    })(),
  );
  return { digest, manifest, manifestText: text, archive };
}
