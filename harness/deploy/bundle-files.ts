import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_FILES, type BundleFile } from '../../kit/bundle-digest.ts';

/** Lets CommonJS dependencies inside an ES module bundle find Node's built-in modules. */
export const BUNDLE_BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** The programs of the bundle, and the files that they were made from, relative to the root. */
export interface BuiltBundle {
  readonly files: readonly BundleFile[];
  readonly inputs: readonly string[];
}

/**
 * Bundles the programs that run on every host (node, runner, the signing worker beside them, and the fault program) from the sources
 * under `root`. Everything is inlined but the QUIC package, whose native binding must stay a file of its own.
 */
export async function buildBundleFiles(root: string): Promise<BuiltBundle> {
  const result = await build({
    entryPoints: {
      node: join(root, 'node/main.ts'),
      runner: join(root, 'runner/main.ts'),
      'signing-worker': join(root, 'kit/signing-worker.ts'),
      faults: join(root, 'runner/faults/main.ts'),
    },
    outdir: root,
    write: false,
    metafile: true,
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
  const made = new Map(result.outputFiles.map((file) => [file.path.slice(root.length + 1), file.contents]));
  const files = BUNDLE_FILES.map((name) => {
    const contents = made.get(name);
    if (contents === undefined) throw new Error(`esbuild made no ${name}`);
    return { name, contents };
  });
  return { files, inputs: Object.keys(result.metafile.inputs) };
}
