import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { build } from 'esbuild';

export interface BundleFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** Lets CommonJS dependencies inside an ES module bundle find Node's built-in modules. */
export const BUNDLE_BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/**
 * Bundles the programs that run on every host (node, runner, and the signing worker beside them) from the sources
 * under `root`. Everything is inlined but the QUIC package, whose native binding must stay a file of its own.
 */
export async function buildBundleFiles(root: string): Promise<readonly BundleFile[]> {
  const result = await build({
    entryPoints: {
      node: join(root, 'node/main.ts'),
      runner: join(root, 'runner/main.ts'),
      'signing-worker': join(root, 'kit/signing-worker.ts'),
    },
    outdir: root,
    write: false,
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['@matrixai/quic', '@matrixai/quic/*'],
    banner: { js: BUNDLE_BANNER },
    logLevel: 'silent',
    absWorkingDir: root,
  });
  return result.outputFiles
    .map((file) => ({ name: file.path.slice(root.length + 1), contents: file.contents }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** SHA-256 over names, sizes and contents: equal digests mean equal programs. */
export function bundleDigest(files: readonly BundleFile[]): string {
  const digest = createHash('sha256');
  for (const { name, contents } of files) digest.update(`${name}\0${contents.length}\0`).update(contents);
  return digest.digest('hex');
}
