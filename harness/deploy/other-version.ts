import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE_FILES, digestOfStored } from '../../kit/bundle-digest.ts';
import { sha256Hex } from '../../kit/hash.ts';
import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import type { Artifact } from './artifact.ts';
import { type ArchiveEntry, writeArchive } from './artifact-archive.ts';
import {
  type ArtifactFile,
  type ArtifactManifest,
  MANIFEST_FILE,
  parseManifest,
  writeManifest,
} from './artifact-manifest.ts';
import { PackedParts } from './packed-parts.ts';
import { deployError } from './problem.ts';
import { makeOtherPrograms, OTHER_VERSION } from './second-bundle.ts';

const READ_BUDGET_MS = 120_000; // a program of 3 MB at 1 Mbit/s, with room

/** A version that differs from the one which hosts run in the programs of its bundle alone. */
export interface OtherVersion {
  readonly parts: PackedParts;
  /** What no host has; everything else is taken from the version that it runs. */
  readonly upload: readonly string[];
  /** Of the programs that hosts run, and of the other ones. */
  readonly bundles: { readonly deployed: string; readonly other: string };
}

/**
 * Makes the other version for each version that hosts run, once, out of what the hosts themselves hold: Node runtime, QUIC
 * binding and units stay theirs, so that no package of their platform is needed here.
 */
export class OtherVersions implements AsyncDisposable {
  readonly #from: string | undefined;
  readonly #made = new Map<string, Promise<OtherVersion>>(); // hosts of a fleet run one or two
  #home: Promise<string> | undefined;

  /** @param from directory of the other programs; without it, those of the hosts under another version */
  constructor(from: string | undefined) {
    this.#from = from;
  }

  /**
   * The other version than `version`, which `host` runs.
   * @throws FaultError `PROGRAM_DIFFERS` when the host holds not what its version promises; what `makeOtherPrograms` and
   * `Host.exec` throw
   */
  async of(host: Host, version: string, signal: AbortSignal): Promise<OtherVersion> {
    const making = this.#made.get(version) ?? this.#make(host, version, signal);
    this.#made.set(version, making);
    try {
      return await making;
    } catch (error) {
      this.#made.delete(version); // the next host may be reached
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const made = await Promise.allSettled(this.#made.values());
    for (const one of made) if (one.status === 'fulfilled') await one.value.parts[Symbol.asyncDispose]();
    if (this.#home !== undefined) await rm(await this.#home, { recursive: true, force: true });
  }

  async #make(host: Host, version: string, signal: AbortSignal): Promise<OtherVersion> {
    this.#home ??= mkdtemp(join(tmpdir(), 'meshproof-other-version-'));
    const home = await mkdtemp(join(await this.#home, 'of-'));
    const text = await readInVersion(host, version, MANIFEST_FILE, signal);
    if (sha256Hex(text) !== version) throw changed(host, version, MANIFEST_FILE);
    const deployed = parseManifest(text, host.name);
    const programs = join(home, 'other');
    const running = {
      sha256: deployed.bundle_sha256,
      directory: () => fetchPrograms(host, version, { deployed, home: join(home, 'deployed') }, signal),
    };
    const bundleSha256 = await makeOtherPrograms(running, { home: programs, from: this.#from });
    const { artifact, upload } = await packOther(deployed, bundleSha256, programs);
    const bundles = { deployed: deployed.bundle_sha256, other: bundleSha256 };
    return { parts: new PackedParts(artifact), upload, bundles };
  }
}

/** The programs of `version` as they lie on `host`, brought here; gives the directory. */
async function fetchPrograms(
  host: Host,
  version: string,
  { deployed, home }: { readonly deployed: ArtifactManifest; readonly home: string },
  signal: AbortSignal,
): Promise<string> {
  await mkdir(home);
  for (const name of BUNDLE_FILES)
    await writeFile(join(home, name), await readInVersion(host, version, name, signal));
  if ((await digestOfStored(home)) !== deployed.bundle_sha256) throw changed(host, version, 'the programs');
  return home;
}

async function readInVersion(
  host: Host,
  version: string,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  return await readOnHost(host, `${DEPLOYED_PATHS.versions}/${version}/${path}`, signal);
}

/**
 * The text of a file on `host`.
 * @throws FaultError `DEPLOY_STEP_FAILED`; what `Host.exec` throws
 */
export async function readOnHost(host: Host, path: string, signal: AbortSignal): Promise<string> {
  const options = { budgetMs: READ_BUDGET_MS, signal, as: 'root' } as const;
  const { code, stdout, stderr } = await host.exec(['cat', path], options);
  if (code === 0) return stdout;
  throw deployError('DEPLOY_STEP_FAILED', host.name, `could not read ${path}: ${stderr.trim()}`);
}

function changed(host: Host, version: string, what: string) {
  const message = `${what} of version ${version.slice(0, 12)} is not what it should be; "meshproof deploy" mends it`;
  return deployError('PROGRAM_DIFFERS', host.name, message);
}

/** The artifact `deployed` with the programs that lie in `programs`; its archive holds those that differ, and its manifest. */
async function packOther(
  deployed: ArtifactManifest,
  bundleSha256: string,
  programs: string,
): Promise<{ readonly artifact: Artifact; readonly upload: readonly string[] }> {
  const contents = new Map<string, Buffer>();
  for (const name of BUNDLE_FILES) contents.set(name, await readFile(join(programs, name)));
  const files = deployed.files.map((file): ArtifactFile => {
    const content = contents.get(file.path);
    return content === undefined ? file : { ...file, size: content.length, sha256: sha256Hex(content) };
  });
  const version = `${deployed.version}${OTHER_VERSION}`;
  const manifest: ArtifactManifest = { ...deployed, version, bundle_sha256: bundleSha256, files };
  const { text: manifestText, digest } = writeManifest(manifest);
  const differing = files.filter((file, at) => file.sha256 !== deployed.files[at]?.sha256);
  const archive = join(programs, '..', 'other.tar.gz');
  const entries: ArchiveEntry[] = [
    { path: MANIFEST_FILE, content: Buffer.from(manifestText) },
    ...differing.map(({ path }) => ({ path, content: contents.get(path) ?? Buffer.of() })),
  ].map(({ path, content }) => ({ path, mode: 0o644, size: content.length, content }));
  await writeArchive(archive, entries);
  return { artifact: { digest, manifest, manifestText, archive }, upload: entries.map(({ path }) => path) };
}
