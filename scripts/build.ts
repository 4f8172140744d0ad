// Builds what the npm package ships: the command as one JavaScript file, the node bundle, and the gate definitions.
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE_BANNER, buildBundleFiles, buildOutsiders } from '../harness/deploy/bundle-files.ts';
import { bundleDigest } from '../kit/bundle-digest.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
await rm(dist, { recursive: true, force: true });
await mkdir(join(dist, 'bundle'), { recursive: true });

const { files } = await buildBundleFiles(root);
for (const file of files) await writeFile(join(dist, 'bundle', file.name), file.contents);
await writeFile(join(dist, 'bundle', 'digest'), bundleDigest(files));

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
console.log(`dist/ built; node bundle ${bundleDigest(files).slice(0, 12)}`);
