import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import { type ArchiveEntry, checkArchive, writeArchive } from './artifact-archive.ts';
import { type ArtifactManifest, parseManifest, writeManifest } from './artifact-manifest.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-archive-'));
});
afterEach(() => rm(home, { recursive: true }));

const PROGRAM = Buffer.from('a program');
const manifest = (path = 'bin/node'): ArtifactManifest => ({
  format: 'meshproof.artifact.v1',
  version: '1',
  platform: 'linux-x64',
  node_version: '24',
  bundle_sha256: sha256Hex('b'),
  files: [{ path, sha256: sha256Hex(PROGRAM), size: PROGRAM.length, mode: 0o755 }],
});
const entry = (path: string, content: Buffer, mode = 0o755): ArchiveEntry => ({
  path,
  mode,
  size: content.length,
  content,
});
const described = () => entry('manifest.json', Buffer.from(writeManifest(manifest()).text), 0o644);

async function archive(name: string, entries: readonly ArchiveEntry[]): Promise<string> {
  const file = join(home, name);
  await writeArchive(
    file,
    (async function* () {
      yield* entries;
    })(),
  );
  return file;
}

it('makes the same bytes of the same files, whoever packs them and when', async () => {
  const entries = [described(), entry('bin/node', PROGRAM)];
  const [first, second] = [await archive('1', entries), await archive('2', entries)];
  const bytes = await readFile(first);
  expect(bytes.equals(await readFile(second))).toBe(true);
  expect([...bytes.subarray(4, 10)]).toEqual([0, 0, 0, 0, 0, 0xff]); // no time, no system
});

it('gives back what was packed, checked', async () => {
  const file = await archive('whole', [described(), entry('bin/node', PROGRAM)]);
  const { digest, manifest: found } = await checkArchive(file);
  expect({ digest, found }).toEqual({ digest: writeManifest(manifest()).digest, found: manifest() });
});

it.each<[string, () => readonly ArchiveEntry[]]>([
  [
    'bin/node is not what the manifest promises',
    () => [described(), entry('bin/node', Buffer.from('a pr0gram'))],
  ],
  ['bin/node is not what the manifest promises', () => [described(), entry('bin/node', PROGRAM, 0o644)]],
  ['bin/more is not what the manifest promises', () => [described(), entry('bin/more', PROGRAM)]],
  ['bin/node is missing', () => [described()]],
  ['its first file is bin/node', () => [entry('bin/node', PROGRAM)]],
  ['it is empty', () => []],
])('refuses an archive when %s', async (words, entries) => {
  await expect(checkArchive(await archive('bad', entries()))).rejects.toMatchObject({
    code: 'ARTIFACT_DAMAGED',
    message: expect.stringContaining(words),
  });
});

it('refuses what is no archive, and one that was cut short', async () => {
  const whole = await readFile(await archive('whole', [described(), entry('bin/node', PROGRAM)]));
  for (const bytes of [Buffer.from('text'), whole.subarray(0, whole.length - 20)]) {
    await writeFile(join(home, 'bad'), bytes);
    await expect(checkArchive(join(home, 'bad'))).rejects.toMatchObject({ code: 'ARTIFACT_DAMAGED' });
  }
});

it.each(['../evil', '/etc/passwd', 'a/../../b', './x', 'a b', ''])(
  'takes no manifest that writes to %j',
  (path) => {
    const text = JSON.stringify({ ...manifest(), files: [{ ...manifest().files[0], path }] });
    expect(() => parseManifest(text, 'x')).toThrow(expect.objectContaining({ code: 'ARTIFACT_DAMAGED' }));
  },
);
