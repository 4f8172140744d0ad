import { randomBytes } from 'node:crypto';
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../kit/hash.ts';
import { sshdMissing, TestSshd } from './fixture-sshd.ts';
import type { SshHost } from './ssh-host.ts';

const missing = sshdMissing();
const within = { budgetMs: 15_000, signal: new AbortController().signal };
/** Lies about what it was given when there is a file that tells it to. */
const CAT = '[ -e "$0.corrupt" ] && { head -c 10; exec head -c 100 /dev/zero; }; exec /bin/cat "$@"';

describe.skipIf(missing !== null)(`uploads${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let sshd: TestSshd;
  let host: SshHost;

  beforeAll(async () => {
    sshd = await TestSshd.start({ shims: { cat: CAT } });
    host = await sshd.host();
  });
  afterAll(async () => {
    await host?.close();
    await sshd?.[Symbol.asyncDispose]();
  });

  it('sends a file of 30 MB as a stream, verified over there, with its mode', async () => {
    const content = randomBytes(30 * 1024 * 1024);
    const [from, to] = [join(sshd.dir, 'big'), join(sshd.dir, "it's big")];
    await writeFile(from, content);
    await host.writeFile(to, { file: from }, { ...within, mode: 0o640 });
    expect(sha256Hex(await readFile(to))).toBe(sha256Hex(content));
    expect((await stat(to)).mode & 0o777).toBe(0o640);
  });

  it('replaces a file whole', async () => {
    const to = join(sshd.dir, 'small');
    for (const text of ['first', 'second', '']) {
      await host.writeFile(to, Buffer.from(text), { ...within, mode: 0o600 });
      expect(await readFile(to, 'utf8')).toBe(text);
    }
  });

  it('notices bytes that did not arrive as they were sent, and leaves the old file alone', async () => {
    const to = join(sshd.dir, 'kept');
    await host.writeFile(to, Buffer.from('old'), { ...within, mode: 0o600 });
    await writeFile(join(sshd.dir, 'bin', 'cat.corrupt'), '');
    try {
      await expect(
        host.writeFile(to, Buffer.from('new content'), { ...within, mode: 0o600 }),
      ).rejects.toMatchObject({
        code: 'HOST_UPLOAD',
        details: expect.objectContaining({ reason: 'corrupted' }),
      });
    } finally {
      await host.exec(['rm', join(sshd.dir, 'bin', 'cat.corrupt')], within);
    }
    expect(await readFile(to, 'utf8')).toBe('old');
    expect((await readdir(sshd.dir)).filter((name) => name.startsWith('kept.'))).toEqual([]);
  });

  it.for([
    ['a file where a directory is expected', '/dev/null/file', /Not a directory/],
    ['a directory that does not exist', '/no/such/directory/file', /No such file or directory/],
  ] as const)('says that it could not be written: %s', async ([, path, said]) => {
    await expect(host.writeFile(path, Buffer.from('x'), { ...within, mode: 0o600 })).rejects.toMatchObject({
      code: 'HOST_UPLOAD',
      message: expect.stringMatching(said),
    });
  });

  it('keeps no file open when the host cannot be reached', async () => {
    const from = join(sshd.dir, 'unsent');
    await writeFile(from, 'unsent');
    await using away = await sshd.host({ identity: { keyFile: '/no/such/key' } });
    await expect(away.writeFile('/x', { file: from }, { ...within, mode: 0o600 })).rejects.toThrow(
      '/no/such/key',
    );
    const fds = await readdir('/proc/self/fd');
    const open = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    expect(open).not.toContain(from);
  });

  it('leaves nothing behind when the host is lost half-way', async () => {
    await using other = await TestSshd.start();
    const lost = await other.host();
    const from = join(sshd.dir, 'huge');
    await writeFile(from, Buffer.alloc(60 * 1024 * 1024));
    const to = join(sshd.dir, 'never');
    const sending = lost.writeFile(to, { file: from }, { ...within, mode: 0o600 });
    const failed = expect(sending).rejects.toMatchObject({ code: 'HOST_LOST' });
    await expect
      .poll(async () => (await readdir(sshd.dir)).some((name) => name.startsWith('never.')), {
        timeout: 10_000,
        interval: 5,
      })
      .toBe(true);
    await other.cutConnections();
    await failed;
    await expect
      .poll(async () => (await readdir(sshd.dir)).filter((name) => name.startsWith('never')), {
        timeout: 5_000,
      })
      .toEqual([]);
    await lost.close();
  });
});
