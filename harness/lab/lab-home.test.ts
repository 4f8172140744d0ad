import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { makeLabHome } from './lab-home.ts';

test('a new lab home removes those of processes that are gone, and nothing else', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'meshproof-labs-'));
  try {
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    const kept = [`meshproof-lab-${process.pid}-abc`, 'meshproof-lab-x', 'other'];
    for (const name of [...kept, `meshproof-lab-${gone}-abc`]) {
      await mkdir(join(parent, name, 'node'), { recursive: true });
    }
    const home = await makeLabHome(parent);
    expect((await readdir(parent)).toSorted()).toEqual([...kept, basename(home)].toSorted());
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});
