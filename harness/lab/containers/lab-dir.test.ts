import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimLabDir, clearCutOffStart, clearLabDir, orNoRoom } from './lab-dir.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-lab-dir-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('the directory of a lab', () => {
  it('is made with those above it, and named with its links resolved', async () => {
    await symlink(home, join(home, 'link'));
    expect(await claimLabDir(join(home, 'link/a/b'))).toBe(join(home, 'a/b'));
    expect(await claimLabDir(join(home, 'a/b'))).toBe(join(home, 'a/b'));
  });

  it('may hold what a start that was cut off has left, but nothing of anybody else', async () => {
    for (const name of ['trial', 'lab.json.new']) await writeFile(join(home, name), '');
    expect(await claimLabDir(home)).toBe(home);
    await writeFile(join(home, 'mine'), '');
    await expect(claimLabDir(home)).rejects.toThrow(
      /is not empty and holds no lab: expected a directory of its own$/,
    );
  });

  it.for([
    ['a file', 'mine', /--dir: ".*mine" cannot be a directory for a lab: ENOTDIR/],
    ['below a file', 'mine/lab', /--dir: ".*mine\/lab" cannot be a directory for a lab: ENOTDIR/],
  ] as const)('cannot be %s', async ([, name, message]) => {
    await writeFile(join(home, 'mine'), '');
    await expect(claimLabDir(join(home, name))).rejects.toThrow(message);
  });

  it.skipIf(process.platform !== 'linux')(
    'is refused at once where the kernel makes no directories',
    async () => {
      await expect(claimLabDir('/proc/meshproof/lab')).rejects.toMatchObject({ code: 'LAB_DIR' });
    },
  );

  it('is cleared of what a lab writes, whole or half, and of nothing else', async () => {
    await mkdir(join(home, 'hosts/lab1/disk'), { recursive: true });
    const written = [
      'lab.json',
      'inventory.toml',
      'inventory.toml.new',
      'key.new',
      'key.new.pub',
      'links.lock',
    ];
    for (const name of [...written, 'key', 'mine.new']) await writeFile(join(home, name), '');
    await clearLabDir(home);
    expect((await readdir(home)).sort()).toEqual(['key', 'mine.new']);
  });

  it('is cleared of a cut-off start only when there is nothing beside it', async () => {
    expect(await clearCutOffStart(join(home, 'none'))).toBe('nothing');
    expect(await clearCutOffStart(home)).toBe('nothing');
    await mkdir(join(home, 'trial/scratch/work'), { recursive: true });
    await writeFile(join(home, 'hosts'), 'not of a lab');
    expect(await clearCutOffStart(home)).toBe('nothing');
    await rm(join(home, 'hosts'));
    expect(await clearCutOffStart(home)).toBe('cleared');
    expect(await readdir(home)).toEqual([]);
  });

  it('is named when its file system is full, and not for any other error', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(orNoRoom(full, '/srv/lab')).toMatchObject({
      code: 'LAB_DISK',
      message: expect.stringMatching(/file system of \/srv\/lab: ENOSPC/),
    });
    const other = new Error('other');
    expect(orNoRoom(other, '/srv/lab')).toBe(other);
  });
});
