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
  const { made, inputs } = await bundlePrograms(root, {
    node: 'node/main.ts',
    runner: 'runner/main.ts',
    'signing-worker': 'kit/signing-worker.ts',
    faults: 'runner/faults/main.ts',
  });
  const files = BUNDLE_FILES.map((name) => {
    const contents = made.get(name);
    if (contents === undefined) throw new Error(`esbuild made no ${name}`);
    return { name, contents };
  });
  return { files, inputs };
}

/** Bundles the outsiders' program the same way. It is no part of the bundle: no host holds it longer than it runs there. */
export async function buildOutsiders(root: string): Promise<Uint8Array> {
  const { made } = await bundlePrograms(root, { outsiders: 'harness/outsiders/program/main.ts' });
  const contents = made.get('outsiders.js');
  if (contents === undefined) throw new Error('esbuild made no outsiders.js');
  return contents;
}

/** One file for each entry, which is a name and a source relative to the root. */
async function bundlePrograms(
  root: string,
  entries: Readonly<Record<string, string>>,
): Promise<{ readonly made: ReadonlyMap<string, Uint8Array>; readonly inputs: readonly string[] }> {
  const result = await build({
    entryPoints: Object.fromEntries(
      Object.entries(entries).map(([name, source]) => [name, join(root, source)]),
    ),
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
  return { made, inputs: Object.keys(result.metafile.inputs) };
}
