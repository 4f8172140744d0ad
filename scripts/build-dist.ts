import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_BANNER, buildBundleFiles, buildOutsiders } from '../harness/deploy/bundle-files.ts';
import { bundleDigest } from '../kit/bundle-digest.ts';

/**
 * Builds what the npm package ships into the new or empty directory `dist`: the command as JavaScript, the node bundle, gates and
 * links, all from the sources under `root`. Gives the digest of the bundle.
 */
export async function buildDist(root: string, dist: string): Promise<string> {
  await mkdir(join(dist, 'bundle'), { recursive: true });
  const { files } = await buildBundleFiles(root);
  const digest = bundleDigest(files);
  for (const file of files) await writeFile(join(dist, 'bundle', file.name), file.contents);
  await writeFile(join(dist, 'bundle', 'digest'), digest);
  await writeFile(join(dist, 'outsiders.js'), await buildOutsiders(root));

  await build({
    entryPoints: {
      cli: join(root, 'harness/cli.ts'),
      'link-agent': join(root, 'harness/lab/link-agent/main.ts'),
      'link-router': join(root, 'harness/lab/link-router/main.ts'),
      'netns-connect': join(root, 'harness/lab/containers/netns-connect.ts'),
      'signing-worker': join(root, 'kit/signing-worker.ts'),
    },
    outdir: dist,
    bundle: true,
    splitting: true, // a command is read only when it is asked for
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Builds bundles from sources, with esbuild: a package has neither, and must not ask for esbuild when it starts.
    external: ['./bundle-files.ts', '../deploy/bundle-files.ts'],
    banner: { js: BUNDLE_BANNER },
  });
  await cp(join(root, 'gates/definitions'), join(dist, 'gates'), { recursive: true });
  await cp(join(root, 'harness/lab/links'), join(dist, 'links'), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  });
  return digest;
}
