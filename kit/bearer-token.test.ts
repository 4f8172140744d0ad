import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BearerCheck, loadToken } from './bearer-token.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshproof-token-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the token file', () => {
  it('keeps what an operator put there, trimmed, and closes it to others', async () => {
    const file = join(dir, 'token');
    await writeFile(file, `  ${'k'.repeat(40)}\n`);
    await chmod(file, 0o644);
    expect(await loadToken(file)).toBe('k'.repeat(40));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is made anew when it is too short to be whole', async () => {
    const file = join(dir, 'token');
    await writeFile(file, 'short');
    const token = await loadToken(file);
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(await readFile(file, 'utf8')).toBe(token);
  });

  it('names the file when it cannot be used', async () => {
    const file = join(dir, 'nowhere', 'token');
    await expect(loadToken(file)).rejects.toMatchObject({
      code: 'TOKEN_UNUSABLE',
      message: expect.stringContaining(file),
    });
  });
});

describe('the bearer check', () => {
  const check = new BearerCheck('secret');
  it.each([
    ['Bearer secret', true],
    ['bearer  secret', true],
    ['Bearer Secret', false],
    ['Bearer secret2', false],
    ['Bearer secre', false],
    ['Bearer ', false],
    ['secret', false],
    ['Basic secret', false],
    [undefined, false],
  ])('of %j says %s', (header, accepted) => {
    expect(check.accepts(header)).toBe(accepted);
  });
});
