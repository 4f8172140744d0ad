import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepLinks, lockLab, lockLinks } from './lab-lock.ts';

const { signal } = new AbortController();
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshproof-lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe.skipIf(process.platform !== 'linux')('the lock of a lab', () => {
  it('keeps a second command out, naming the lab, and leaves nothing behind', async () => {
    {
      await using _ = await lockLab(dir, { signal });
      await expect(lockLab(dir, { signal, patienceMs: 20 })).rejects.toMatchObject({
        code: 'LAB_BUSY',
        message: expect.stringContaining(dir),
      });
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it('waits for a command that is about to end, but not once it is told to', async () => {
    const first = await lockLab(dir, { signal });
    const told = new AbortController();
    const impatient = lockLab(dir, { signal: told.signal });
    const second = lockLab(dir, { signal });
    told.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    await first[Symbol.asyncDispose]();
    await using _ = await second;
  });

  it('does not take a directory that cannot be locked for a busy one', async () => {
    const nowhere = join(dir, 'no', 'where');
    await expect(lockLab(nowhere, { signal, patienceMs: 20 })).rejects.toMatchObject({
      code: 'LAB_LOCK_FAILED',
      message: expect.stringContaining(nowhere),
    });
  });

  it('is not that of a directory that went away while it was waited for', async () => {
    const lab = join(dir, 'lab');
    await mkdir(lab);
    const down = await lockLab(lab, { signal });
    const code = expect.stringMatching(/^LAB_(BUSY|LOCK_FAILED)$/); // as it has opened it already, or not yet
    const refused = expect(lockLab(lab, { signal })).rejects.toMatchObject({ code });
    await rm(lab, { recursive: true });
    await down[Symbol.asyncDispose]();
    await refused;
    await expect(lockLab(lab, { signal })).rejects.toMatchObject({ code: 'LAB_LOCK_FAILED' });
    expect(await readdir(dir)).toEqual([]);
  });

  it('of its links is shared by runs, and refused to who would change them until the last has ended', async () => {
    const first = await keepLinks(dir, { signal });
    {
      await using _ = await keepLinks(dir, { signal });
      await first[Symbol.asyncDispose]();
      await expect(lockLinks(dir, { signal, patienceMs: 20 })).rejects.toMatchObject({
        code: 'LAB_IN_USE',
        message: expect.stringMatching(new RegExp(`a run is going on over the lab in ${dir}`)),
      });
    }
    await using _ = await lockLinks(dir, { signal });
    await expect(keepLinks(dir, { signal, patienceMs: 20 })).rejects.toMatchObject({ code: 'LAB_BUSY' });
  });

  it('is free as soon as the command that held it was killed', async () => {
    const program = `const { lockLab } = await import(${JSON.stringify(new URL('./lab-lock.ts', import.meta.url).href)});
      await lockLab(${JSON.stringify(dir)}, { signal: new AbortController().signal });
      console.log('held');
      setInterval(() => {}, 1_000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    await expect(lockLab(dir, { signal, patienceMs: 20 })).rejects.toMatchObject({ code: 'LAB_BUSY' });
    other.kill('SIGKILL');
    await using _ = await lockLab(dir, { signal });
  });
});
