import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, UsageError } from '../../kit/errors.ts';
import { xdgDirectory } from '../../kit/xdg-directory.ts';
import { VERSION } from '../version.ts';
import { type ArchiveEntry, checkArchive, readArchive, writeArchive } from './artifact-archive.ts';
import {
  type ArtifactManifest,
  MANIFEST_FILE,
  type Platform,
  parseManifest,
  writeManifest,
} from './artifact-manifest.ts';
import { type ArtifactPart, artifactParts, measurePart } from './artifact-parts.ts';
import { pruneArtifacts } from './artifact-prune.ts';
import { ensureBundle, type NodeBundle } from './bundle.ts';
import { sha256OfFile } from './sha256-of-file.ts';

/** An artifact that lies whole on this machine. */
export interface Artifact {
  /** SHA-256 of the manifest, which names the SHA-256 of every file. */
  readonly digest: string;
  readonly manifest: ArtifactManifest;
  readonly manifestText: string;
  /** The gzipped tar. */
  readonly archive: string;
}

const SEAL_FILE = 'archive.sha256';

/**
 * The artifact of this meshproof for `platform`: the one kept from before when it was made from the same files, else
 * packed now and kept.
 * @throws UsageError `ARTIFACT_PART_MISSING`; FaultError `BUNDLE_BUILD_FAILED`, `BUNDLE_DAMAGED`
 */
export async function ensureArtifact(platform: Platform, cache = artifactCache()): Promise<Artifact> {
  return await artifactOf(await ensureBundle(), platform, cache);
}

/** The artifact of given programs: the same programs, platform and packages give the same bytes, wherever they are packed. */
export async function artifactOf(
  bundle: Pick<NodeBundle, 'nodeEntry' | 'sha256'>,
  platform: Platform,
  cache: string,
): Promise<Artifact> {
  const { parts, nodeVersion } = await artifactParts(platform, dirname(bundle.nodeEntry));
  const files = await Promise.all(
    parts.map(async (part) => ({ path: part.path, ...(await measurePart(part)), mode: part.mode })),
  );
  const manifest: ArtifactManifest = {
    format: 'meshproof.artifact.v1',
    version: VERSION,
    platform,
    node_version: nodeVersion,
    bundle_sha256: bundle.sha256,
    files,
  };
  const { text, digest } = writeManifest(manifest);
  const home = join(cache, digest);
  const archive = join(home, archiveName(platform));
  if (!(await isWhole(home, archive))) {
    await keep(home, archive, text, (file) => writeArchive(file, entriesOf(text, manifest, parts)));
  }
  await utimes(home, new Date(), new Date());
  await pruneArtifacts(cache, digest);
  return { digest, manifest, manifestText: text, archive };
}

/**
 * An artifact from a file that was built elsewhere, checked byte by byte.
 * @throws UsageError `ARTIFACT_NOT_FOUND`; FaultError `ARTIFACT_DAMAGED`
 */
export async function openArtifact(file: string): Promise<Artifact> {
  if (!existsSync(file)) {
    throw new UsageError('ARTIFACT_NOT_FOUND', `--artifact: there is no file ${file}`, { details: { file } });
  }
  return { ...(await checkArchive(file)), archive: file };
}

/** Packs the files `paths` of the artifact alone into `file`, without a manifest. */
export async function packPart(artifact: Artifact, paths: ReadonlySet<string>, file: string): Promise<void> {
  await writeArchive(file, partOf(artifact, paths));
}

async function* partOf({ archive }: Artifact, paths: ReadonlySet<string>): AsyncGenerator<ArchiveEntry> {
  for await (const entry of readArchive(archive)) if (paths.has(entry.path)) yield entry;
}

/** Copies the archive to where a person wants it. */
export async function exportArtifact(
  { archive, manifest, digest }: Artifact,
  directory: string,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(
    directory,
    `meshproof-${manifest.version}-${manifest.platform}-${digest.slice(0, 12)}.tar.gz`,
  );
  await copyFile(archive, file);
  return file;
}

const archiveName = (platform: Platform) => `meshproof-${platform}.tar.gz`;

/** A checkout keeps its artifacts beside its bundles; an installed package may not be writable. */
function artifactCache(): string {
  const root = join(import.meta.dirname, '../..');
  if (existsSync(join(root, 'harness/deploy'))) return join(root, 'node_modules/.cache/meshproof/artifacts');
  return join(xdgDirectory('XDG_CACHE_HOME'), 'meshproof/artifacts');
}

async function* entriesOf(
  manifestText: string,
  { files }: ArtifactManifest,
  parts: readonly ArtifactPart[],
): AsyncGenerator<ArchiveEntry> {
  const manifest = Buffer.from(manifestText);
  yield { path: MANIFEST_FILE, mode: 0o644, size: manifest.length, content: manifest };
  for (const [index, { path, mode, content }] of parts.entries()) {
    const bytes = content instanceof Uint8Array ? content : createReadStream(content.file);
    yield { path, mode, size: files[index]?.size ?? 0, content: bytes };
  }
}

async function isWhole(home: string, archive: string): Promise<boolean> {
  try {
    const sealed = (await readFile(join(home, SEAL_FILE), 'utf8')).trim();
    parseManifest(await readFile(join(home, MANIFEST_FILE), 'utf8'), home);
    return (await stat(archive)).isFile() && (await sha256OfFile(archive)) === sealed;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ARTIFACT_DAMAGED') return false;
    throw error;
  }
}

/** Any number of processes may do so at once: each makes its own, and the last rename gives equal bytes. */
async function keep(
  home: string,
  archive: string,
  manifestText: string,
  pack: (file: string) => Promise<void>,
): Promise<void> {
  await mkdir(home, { recursive: true });
  const packed = `${archive}.${randomUUID()}.packing`;
  try {
    await pack(packed);
    const seal = await sha256OfFile(packed);
    await writeFile(join(home, MANIFEST_FILE), manifestText);
    await rename(packed, archive);
    await writeFile(join(home, SEAL_FILE), `${seal}\n`);
  } finally {
    await rm(packed, { force: true });
  }
}
