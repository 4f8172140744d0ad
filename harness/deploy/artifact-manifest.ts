import * as z from 'zod';
import { FaultError } from '../../kit/errors.ts';
import { sha256Hex } from '../../kit/hash.ts';

/** Kinds of machines that an artifact can be for, and what `uname -m` says there. */
export const PLATFORM_MACHINES = { 'linux-x64': 'x86_64', 'linux-arm64': 'aarch64' } as const;
export type Platform = keyof typeof PLATFORM_MACHINES;
export const PLATFORMS = ['linux-x64', 'linux-arm64'] as const satisfies readonly Platform[];

/** The file of an artifact that describes all its others. */
export const MANIFEST_FILE = 'manifest.json';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lowercase hex characters');
// Relative, of plain names only: these paths are written as root on other machines.
const path = z
  .string()
  .regex(/^(?!.*(^|\/)\.{1,2}(\/|$))[\w@.-]+(\/[\w@.-]+)*$/, 'expected a relative path of plain names');

const fileSchema = z.strictObject({
  path,
  sha256: hex64,
  size: z.int().min(0).describe('bytes'),
  mode: z.union([z.literal(0o644), z.literal(0o755)]),
});
/** One file of an artifact; `path` is relative to the directory that it is installed in. */
export type ArtifactFile = z.infer<typeof fileSchema>;

const manifestSchema = z.strictObject({
  format: z.literal('meshproof.artifact.v1'),
  version: z.string().min(1),
  platform: z.enum(PLATFORMS),
  node_version: z.string().min(1).describe('of the Node runtime inside'),
  bundle_sha256: hex64.describe('of node, runner and their companions, as the node itself reports it'),
  files: z.array(fileSchema).min(1).max(1_000),
});
export type ArtifactManifest = z.infer<typeof manifestSchema>;

/** The manifest as it is written, and the artifact's digest: the SHA-256 of that text. */
export function writeManifest(manifest: ArtifactManifest): {
  readonly text: string;
  readonly digest: string;
} {
  const text = `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`;
  return { text, digest: sha256Hex(text) };
}

/** @throws FaultError `ARTIFACT_DAMAGED` when `text` from `source` is no manifest */
export function parseManifest(text: string, source: string): ArtifactManifest {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FaultError('ARTIFACT_DAMAGED', `${source}: its ${MANIFEST_FILE} is not one of an artifact`, {
      details: { source },
      cause,
    });
  }
}
