import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BUNDLE_FILES, bundleDigest } from '../../kit/bundle-digest.ts';
import { ownBundleDigest } from './own-bundle.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-bundle-'));
  for (const name of BUNDLE_FILES) await writeFile(join(home, name), `program ${name}`);
});
afterEach(() => rm(home, { recursive: true, force: true }));

it('is taken from the files that lie beside the program, and changes when one of them does', async () => {
  const files = BUNDLE_FILES.map((name) => ({ name, contents: Buffer.from(`program ${name}`) }));
  const program = join(home, 'node.js');
  expect(await ownBundleDigest(program)).toBe(bundleDigest(files));
  await appendFile(join(home, 'signing-worker.js'), ' ');
  expect(await ownBundleDigest(program)).not.toBe(bundleDigest(files));
});

it('is not known of a program that is no bundle, or of a bundle with a part missing', async () => {
  expect(await ownBundleDigest(import.meta.filename)).toBeNull();
  await rm(join(home, 'runner.js'));
  expect(await ownBundleDigest(join(home, 'node.js'))).toBeNull();
});
