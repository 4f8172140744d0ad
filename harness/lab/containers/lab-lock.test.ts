import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockLab } from './lab-lock.ts';
import { identifyProcess, isRunning } from './process-id.ts';

const { signal } = new AbortController();
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshproof-lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe.skipIf(process.platform !== 'linux')('the lock of a lab', () => {
  it('keeps a second command out, naming the first, and leaves nothing behind', async () => {
    {
      await using _ = await lockLab(dir, { signal });
      await expect(lockLab(dir, { signal, patienceMs: 1 })).rejects.toThrow(
        new RegExp(`process ${process.pid}`),
      );
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it('waits for a command that is about to end', async () => {
    const first = await lockLab(dir, { signal });
    const second = lockLab(dir, { signal });
    await first[Symbol.asyncDispose]();
    await using _ = await second;
    expect(await readdir(dir)).toEqual(['lab.lock']);
  });

  it('is void when another process has the pid of the one that took it', async () => {
    const self = await identifyProcess(process.pid);
    if (self === undefined) throw new Error('this process runs');
    const earlier = { ...self, start_ticks: self.start_ticks - 1 };
    expect(await isRunning(self)).toBe(true);
    expect(await isRunning(earlier)).toBe(false);
    await writeFile(join(dir, 'lab.lock'), JSON.stringify(earlier));
    await using _ = await lockLab(dir, { signal });
    expect(await readdir(dir)).toEqual(['lab.lock']);
  });
});
