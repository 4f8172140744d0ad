import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Artifact, packPart } from './artifact.ts';

/** Archives of parts of an artifact: each is packed once, however many hosts lack the same files. */
export class PackedParts implements AsyncDisposable {
  readonly artifact: Artifact;
  #home: Promise<string> | undefined;
  readonly #packed = new Map<string, Promise<string>>(); // at most one per host

  constructor(artifact: Artifact) {
    this.artifact = artifact;
  }

  /** An archive of the files `paths`; all of the artifact's when all are wanted. */
  fileOf(paths: readonly string[]): Promise<string> {
    const wanted = new Set(paths);
    const { manifest, archive } = this.artifact;
    if (manifest.files.every(({ path }) => wanted.has(path))) return Promise.resolve(archive);
    const key = paths.toSorted().join('\n');
    const file = this.#packed.get(key) ?? this.#pack(wanted, `${this.#packed.size}.tar.gz`);
    this.#packed.set(key, file);
    return file;
  }

  async #pack(paths: ReadonlySet<string>, name: string): Promise<string> {
    this.#home ??= mkdtemp(join(tmpdir(), 'meshproof-upload-'));
    const file = join(await this.#home, name);
    await packPart(this.artifact, paths, file);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#packed.values());
    if (this.#home !== undefined) await rm(await this.#home, { recursive: true, force: true });
  }
}
