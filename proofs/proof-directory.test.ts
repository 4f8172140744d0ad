import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../kit/hash.ts';
import { isInsideProof, pathSegment } from './path-names.ts';
import { type DocumentToStore, ProofDirectory } from './proof-directory.ts';

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'proof-'));
});
afterAll(() => rm(root, { recursive: true }));

function freshDir(): string {
  count += 1;
  return join(root, String(count), 'proof');
}

const document: DocumentToStore = {
  window: 2,
  scenario: 'baseline',
  phase: 'post',
  node: 'nyc',
  document: 'gossip',
  rawText: '{"ok":true,"note":"ä"}',
  epoch: { boot_id: 'b1', uptime_secs: 3 },
};

describe('ProofDirectory.create', () => {
  it('makes the directory and its parents and leaves it empty', async () => {
    const dir = freshDir();
    const directory = await ProofDirectory.create(dir);
    expect(directory.dir).toBe(resolve(dir));
    expect(await readdir(dir)).toEqual([]);
    await expect(ProofDirectory.create(dir)).resolves.toBeInstanceOf(ProofDirectory);
  });

  it('refuses a directory that holds anything, in one line that names it', async () => {
    const dir = freshDir();
    await ProofDirectory.create(dir);
    await writeFile(join(dir, 'old.txt'), '');
    await expect(ProofDirectory.create(dir)).rejects.toMatchObject({
      code: 'PROOF_DIR_NOT_EMPTY',
      message: `the proof directory ${dir} is not empty ("old.txt"); name a new one`,
    });
  });

  it.each([
    ['is a file', ''],
    ['lies below a file', '/below'],
  ])('refuses a path that %s', async (_, below) => {
    const file = join(root, `file${below.length}`);
    await writeFile(file, '');
    await expect(ProofDirectory.create(file + below)).rejects.toMatchObject({
      code: 'PROOF_DIR_UNWRITABLE',
      message: expect.stringContaining(file + below),
    });
  });

  it.skipIf(!existsSync('/proc/self'))('refuses a place where nothing can be made', async () => {
    await expect(ProofDirectory.create('/proc/self/proof')).rejects.toMatchObject({
      code: expect.stringMatching(/^PROOF_(DIR_UNWRITABLE|WRITE_FAILED)$/),
      message: expect.not.stringContaining('\n'),
    });
  });
});

describe('ProofDirectory.storeDocument', () => {
  it('keeps the exact bytes where the record says, and nothing beside them', async () => {
    const directory = await ProofDirectory.create(freshDir());
    const stored = await directory.storeDocument(document);
    expect(stored).toEqual({
      file: 'windows/002/diagnostics/baseline/nyc-post-gossip.json',
      sha256: sha256Hex(document.rawText),
      bytes: Buffer.byteLength(document.rawText),
      epoch: document.epoch,
    });
    expect(await readFile(join(directory.dir, stored.file), 'utf8')).toBe(document.rawText);
    expect(await readdir(join(directory.dir, 'windows/002/diagnostics/baseline'))).toEqual([
      'nyc-post-gossip.json',
    ]);
  });

  it('never replaces a document: the second of a name gets a number', async () => {
    const directory = await ProofDirectory.create(freshDir());
    const texts = ['{"a":1}', '{"a":2}', '{"a":3}'];
    const stored = await Promise.all(
      texts.map((rawText) => directory.storeDocument({ ...document, rawText })),
    );
    expect(new Set(stored.map(({ file }) => file)).size).toBe(3);
    for (const { file, sha256 } of stored) {
      expect(sha256Hex(await readFile(join(directory.dir, file)))).toBe(sha256);
    }
  });

  it('has a place for samples outside windows and scenarios', async () => {
    const directory = await ProofDirectory.create(freshDir());
    const { file } = await directory.storeDocument({ ...document, window: null, scenario: null });
    expect(file).toBe('diagnostics/nyc-post-gossip.json');
  });

  it('names the path when the disk refuses, and goes on when it no longer does', async () => {
    const directory = await ProofDirectory.create(freshDir());
    const inTheWay = join(directory.dir, 'windows');
    await writeFile(inTheWay, '');
    await expect(directory.storeDocument(document)).rejects.toMatchObject({
      code: 'PROOF_WRITE_FAILED',
      message: expect.stringContaining(join(directory.dir, 'windows/002/diagnostics/baseline')),
    });
    await rm(inTheWay);
    await expect(directory.storeDocument(document)).resolves.toMatchObject({ bytes: 23 });
  });

  it.each([
    '../../escape',
    '/etc/passwd',
    '..',
    '.',
    '',
    'a\\b',
    'c\0d',
    '.hidden',
    'Ü/x',
    'x'.repeat(5_000),
  ])('keeps the node name %j inside the proof', async (name) => {
    const directory = await ProofDirectory.create(freshDir());
    const { file } = await directory.storeDocument({ ...document, node: name, scenario: name });
    expect(isInsideProof(file)).toBe(true);
    expect(relative(directory.dir, resolve(directory.dir, file)).startsWith('..')).toBe(false);
    expect(await readFile(join(directory.dir, file), 'utf8')).toBe(document.rawText);
  });
});

describe('ProofDirectory.writePlan', () => {
  it('refuses a plan that does not fit its schema', async () => {
    const directory = await ProofDirectory.create(freshDir());
    await expect(directory.writePlan({} as Parameters<ProofDirectory['writePlan']>[0])).rejects.toThrow();
    expect(await readdir(directory.dir)).toEqual([]);
  });
});

describe('pathSegment', () => {
  it('gives every name its own safe segment', () => {
    const names = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc.string({ unit: 'grapheme', maxLength: 120 }),
    );
    fc.assert(
      fc.property(names, names, (one, other) => {
        expect(pathSegment(one)).toMatch(/^[A-Za-z0-9_%-]([A-Za-z0-9_.%-]*[A-Za-z0-9_%-])?$/);
        expect(pathSegment(one).length).toBeLessThanOrEqual(80);
        expect(pathSegment(one) === pathSegment(other)).toBe(one === other);
      }),
    );
  });

  it('leaves ordinary names as they are', () => {
    expect(['nyc', 'node-1', 'eu.west_2'].map(pathSegment)).toEqual(['nyc', 'node-1', 'eu.west_2']);
  });
});

describe('isInsideProof', () => {
  it.each(['', '/a', '../a', 'a/../b', 'a//b', './a', 'a\\..\\b', 'a/', 'a\0'])('refuses %j', (file) => {
    expect(isInsideProof(file)).toBe(false);
  });

  it('takes what the writer makes', () => {
    expect(isInsideProof('windows/001/diagnostics/baseline/a-pre-gossip.json')).toBe(true);
  });
});
