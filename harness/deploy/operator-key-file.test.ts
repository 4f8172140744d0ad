import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSigning } from '../../kit/create-signing.ts';
import { ensureOperatorKey, loadOperatorKey } from './operator-key-file.ts';

let home: string;
let file: string;
const signing = await createSigning();
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-operator-'));
  file = join(home, 'deep', 'operator.key');
});
afterEach(() => rm(home, { recursive: true }));

it('makes one key that only its owner may read, and gives the same one afterwards', async () => {
  const all = await Promise.all([1, 2, 3, 4].map(() => ensureOperatorKey(file, signing)));
  const { id } = await loadOperatorKey(file, signing);
  expect(new Set(all.map((key) => key.id))).toEqual(new Set([id]));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(home, 'deep'))).toEqual(['operator.key']);
});

it('refuses a key that is missing, that others may read, or that is none', async () => {
  await expect(loadOperatorKey(file, signing)).rejects.toMatchObject({ code: 'OPERATOR_KEY_MISSING' });
  await ensureOperatorKey(file, signing);
  await chmod(file, 0o640);
  await expect(ensureOperatorKey(file, signing)).rejects.toMatchObject({ code: 'OPERATOR_KEY_EXPOSED' });
  await chmod(file, 0o600);
  await writeFile(file, 'nonsense');
  await expect(ensureOperatorKey(file, signing)).rejects.toMatchObject({ code: 'OPERATOR_KEY_INVALID' });
});
