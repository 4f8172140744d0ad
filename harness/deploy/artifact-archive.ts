import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, type Header, pack } from 'tar-stream';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { type ArtifactManifest, MANIFEST_FILE, parseManifest } from './artifact-manifest.ts';

/** One file to be archived. */
export interface ArchiveEntry {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly content: Uint8Array | AsyncIterable<Uint8Array>;
}

const MANIFEST_MAX_BYTES = 1_000_000;
// The tenth byte of a gzip header names the system that packed it: 255, unknown, wherever that was (RFC 1952).
const GZIP_SYSTEM_AT = 9;

/** Writes a gzipped tar whose bytes follow from `entries` alone: no times, no owners, no system. */
export async function writeArchive(
  file: string,
  entries: AsyncIterable<ArchiveEntry> | Iterable<ArchiveEntry>,
): Promise<void> {
  const tar = pack();
  const packing = (async () => {
    for await (const { path, mode, size, content } of entries) {
      const header: Partial<Header> & Pick<Header, 'name'> = {
        name: path,
        mode,
        size,
        uid: 0,
        gid: 0,
        mtime: new Date(0),
        type: 'file',
      };
      const entry = tar.entry(header);
      await pipeline(content instanceof Uint8Array ? [content] : content, entry);
    }
    tar.finalize();
  })();
  packing.catch((error: unknown) =>
    tar.destroy(error instanceof Error ? error : new Error(messageOf(error))),
  );
  await Promise.all([packing, pipeline(tar, createGzip({ level: 6 }), createWriteStream(file))]);
  const handle = await open(file, 'r+');
  try {
    await handle.write(Uint8Array.of(0xff), 0, 1, GZIP_SYSTEM_AT);
  } finally {
    await handle.close();
  }
}

/** Every file of the archive in turn; each content must be read before the next. */
export async function* readArchive(file: string): AsyncGenerator<ArchiveEntry> {
  const tar = extract();
  const feeding = pipeline(createReadStream(file), createGunzip(), tar);
  feeding.catch(() => {}); // the same error ends the iteration
  for await (const entry of tar) {
    const { name, mode = 0o644, size = 0, type } = entry.header;
    if (type !== 'file') throw new Error(`${name} is a ${type}`);
    yield { path: name, mode, size, content: entry as AsyncIterable<Uint8Array> };
    entry.resume();
  }
  await feeding;
}

/** What an archive holds, every byte of it checked against its own manifest. */
export interface CheckedArchive {
  readonly manifest: ArtifactManifest;
  readonly manifestText: string;
  /** SHA-256 of the manifest: the artifact's digest. */
  readonly digest: string;
}

/** @throws FaultError `ARTIFACT_DAMAGED`: no archive, a file too many or too few, or one that differs */
export async function checkArchive(file: string): Promise<CheckedArchive> {
  try {
    return await readChecked(file);
  } catch (cause) {
    if (cause instanceof FaultError) throw cause;
    throw damaged(file, `it cannot be read as an artifact: ${messageOf(cause)}`, cause);
  }
}

async function readChecked(file: string): Promise<CheckedArchive> {
  let checked: CheckedArchive | undefined;
  const found = new Set<string>();
  for await (const entry of readArchive(file)) {
    if (checked === undefined) {
      if (entry.path !== MANIFEST_FILE || entry.size > MANIFEST_MAX_BYTES)
        throw damaged(file, `its first file is ${entry.path}, not ${MANIFEST_FILE}`);
      const manifestText = Buffer.concat(await Array.fromAsync(chunksOf(entry))).toString();
      checked = {
        manifest: parseManifest(manifestText, file),
        manifestText,
        digest: sha256Hex(manifestText),
      };
      continue;
    }
    const promised = checked.manifest.files.find(({ path }) => path === entry.path);
    const digest = createHash('sha256');
    for await (const chunk of chunksOf(entry)) digest.update(chunk);
    if (promised?.sha256 !== digest.digest('hex') || promised.mode !== entry.mode)
      throw damaged(file, `${entry.path} is not what the manifest promises`);
    found.add(entry.path);
  }
  const lost = checked?.manifest.files.find(({ path }) => !found.has(path));
  if (checked === undefined || lost !== undefined)
    throw damaged(file, lost === undefined ? 'it is empty' : `${lost.path} is missing`);
  return checked;
}

async function* chunksOf({ content }: ArchiveEntry): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
}

function damaged(file: string, why: string, cause?: unknown): FaultError {
  return new FaultError('ARTIFACT_DAMAGED', `${file}: ${why}`, { details: { file }, cause });
}
