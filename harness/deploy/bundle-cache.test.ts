import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BUNDLE_FILES } from '../../kit/bundle-digest.ts';
import { until } from '../../kit/deadline.ts';
import { ensureBundle } from './bundle.ts';
import { cachedBundle } from './bundle-cache.ts';
import type { BuiltBundle } from './bundle-files.ts';

const SOURCE = 'source.ts';
let root: string;
let cache: string;
let builds: number;
let nowMs: number;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshproof-bundle-'));
  cache = join(root, 'cache');
  builds = 0;
  nowMs = Date.now();
  for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', SOURCE]) await write(file, '1');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const write = (file: string, text: string) => writeFile(join(root, file), text);
const stored = async () => (await readdir(cache)).filter((name) => name !== 'in-use');

/** "Builds" each program as a copy of the source. */
async function copySource(from: string): Promise<BuiltBundle> {
  builds += 1;
  const contents = await readFile(join(from, SOURCE));
  return { files: BUNDLE_FILES.map((name) => ({ name, contents })), inputs: [SOURCE] };
}

function bundle() {
  nowMs += 10_000; // well after whatever the test has just written
  return cachedBundle({ root, cache, build: copySource, wallMs: () => nowMs });
}

test('an unchanged tree is built once', async () => {
  const first = await bundle();
  expect(await bundle()).toEqual(first);
  expect(builds).toBe(1);
});

test.each([SOURCE, 'package-lock.json'])('a change of %s is seen, also one of equal length', async (file) => {
  await bundle();
  await write(file, '2');
  const second = await bundle();
  expect(builds).toBe(2);
  expect(await readFile(join(second.home, 'node.js'), 'utf8')).toBe(file === SOURCE ? '2' : '1');
  await write(file, '1');
  await bundle();
  expect(builds).toBe(3);
});

test('a file that changed while it was built from is not taken for built', async () => {
  const startedMs = Date.now() + 200; // far enough from the writes above to be sure of what they wrote
  const build = async (from: string) => {
    const built = await copySource(from);
    await until('the start to be past', () => Date.now() > startedMs || undefined, { budgetMs: 20_000 });
    await write(SOURCE, '2');
    return built;
  };
  const raced = await cachedBundle({ root, cache, build, wallMs: () => startedMs });
  expect(await readFile(join(raced.home, 'node.js'), 'utf8')).toBe('1');
  expect(await readFile(join((await bundle()).home, 'node.js'), 'utf8')).toBe('2');
});

test.each([
  ['changed', (path: string) => writeFile(path, 'something else')],
  ['missing', (path: string) => rm(path)],
])('a stored program that is %s is made anew', async (_, harm) => {
  const { home, sha256 } = await bundle();
  await harm(join(home, 'runner.js'));
  expect(await bundle()).toEqual({ home, sha256 });
  expect(await readFile(join(home, 'runner.js'), 'utf8')).toBe('1');
});

test('many builds at once end with one whole bundle for all and nothing beside it', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => bundle()));
  expect(new Set(all.map(({ sha256 }) => sha256)).size).toBe(1);
  expect(await stored()).toEqual([all[0]?.sha256]);
  expect((await readdir(all[0]?.home ?? '')).toSorted()).toEqual(['inputs.json', ...BUNDLE_FILES].toSorted());
});

test('the 8 most recently used are kept, and beyond them only what a living process runs', async () => {
  const made: string[] = [];
  for (let version = 0; version < 12; version += 1) {
    await write(SOURCE, String(version));
    made.push((await bundle()).sha256);
    // All but the second were made by processes that have ended.
    if (version !== 1) await rm(join(cache, 'in-use', `${made.at(-1)}.${process.pid}`));
  }
  await mkdir(join(cache, 'abandoned.building'));
  nowMs += 3_600_000;
  await bundle();
  expect((await stored()).toSorted()).toEqual([made[1], ...made.slice(4)].toSorted());
});

test('the sources of this checkout become a bundle that stays where it is', async () => {
  const first = await ensureBundle();
  expect(first.nodeEntry).toContain(first.sha256);
  expect(await readFile(first.runnerEntry, 'utf8')).not.toMatch(/from ?['"]zod['"]/);
});
