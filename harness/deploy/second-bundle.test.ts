import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOfStored } from '../../kit/bundle-digest.ts';
import { ensureBundle, type NodeBundle } from './bundle.ts';
import { checkUpgradeBundle, makeSecondBundle } from './second-bundle.ts';

let home: string;
let bundle: NodeBundle;
beforeEach(async () => {
  bundle = await ensureBundle();
  home = await mkdtemp(join(tmpdir(), 'meshproof-second-'));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

describe('a second bundle', { timeout: 60_000 }, () => {
  it('is the first under another version, and finds the native package', async () => {
    const second = await makeSecondBundle(bundle, { home: join(home, 'b'), from: undefined });
    expect(second.sha256).not.toBe(bundle.sha256);
    expect(await digestOfStored(join(home, 'b'))).toBe(second.sha256);
    expect(await readFile(second.nodeEntry, 'utf8')).toMatch(/name:"meshproof",version:"[^"]+\+other"/);
    expect(await readFile(second.runnerEntry)).toEqual(await readFile(bundle.runnerEntry));
    await realpath(join(home, 'b/node_modules/@matrixai/quic/package.json'));
  });

  it('is taken as it is from a directory', async () => {
    const made = await makeSecondBundle(bundle, { home: join(home, 'b'), from: undefined });
    const copy = await makeSecondBundle(bundle, { home: join(home, 'c'), from: dirname(made.nodeEntry) });
    expect(copy.sha256).toBe(made.sha256);
  });

  it('is refused when it is the first, when it has no version to change, or is not whole', async () => {
    const same = makeSecondBundle(bundle, { home: join(home, 'b'), from: dirname(bundle.nodeEntry) });
    await expect(same).rejects.toMatchObject({ code: 'UPGRADE_UNAVAILABLE' });
    const bare = { ...bundle, nodeEntry: join(home, 'b/node.js') };
    await writeFile(bare.nodeEntry, '// a program without a version');
    const unnamed = makeSecondBundle(bare, { home: join(home, 'c'), from: undefined });
    await expect(unnamed).rejects.toMatchObject({ code: 'UPGRADE_UNAVAILABLE' });
    await expect(checkUpgradeBundle(home)).rejects.toThrow(
      /--upgrade-bundle: ".*" is not a directory that holds node\.js/,
    );
  });
});
