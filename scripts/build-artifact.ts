// Packs what a host needs into one archive: `build-artifact [--platform linux-x64] [--out DIR]`. Same sources, same bytes.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureArtifact, exportArtifact } from '../harness/deploy/artifact.ts';
import { PLATFORMS } from '../harness/deploy/artifact-manifest.ts';
import { causesOf, MeshproofError, messageOf, UsageError } from '../kit/errors.ts';

const EXIT = { fault: 5, usage: 64, internal: 70 } as const;

try {
  const { values } = parseArgs({
    options: {
      platform: { type: 'string', default: 'linux-x64' },
      out: { type: 'string', default: join(import.meta.dirname, '..', 'dist', 'artifacts') },
    },
  });
  const platform = PLATFORMS.find((known) => known === values.platform);
  if (platform === undefined) {
    throw new UsageError(
      'BAD_FLAG',
      `--platform: "${values.platform}" is not one of ${PLATFORMS.join(', ')}`,
    );
  }
  const artifact = await ensureArtifact(platform);
  const file = await exportArtifact(artifact, values.out);
  process.stdout.write(`${file}\nartifact ${artifact.digest}\nbundle   ${artifact.manifest.bundle_sha256}\n`);
} catch (error) {
  process.stderr.write(`build:artifact: ${messageOf(error)}\n`);
  for (const line of error instanceof MeshproofError ? [] : causesOf(error).slice(1))
    process.stderr.write(`  because ${line}\n`);
  process.exitCode =
    error instanceof UsageError ? EXIT.usage : error instanceof MeshproofError ? EXIT.fault : EXIT.internal;
}
