import { createHash } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HostKeys } from './own-files.ts';
import { systemCommand } from './system-command.ts';

/** The key pair in `file` and `file.pub`, made when it is not there: ed25519, no passphrase, mode 0600. */
export async function ensureKeyPair(file: string, comment: string, signal: AbortSignal): Promise<HostKeys> {
  const there = await readKeys(file);
  if (there !== undefined) return there;
  const fresh = join(dirname(file), 'key.new');
  await rm(fresh, { force: true });
  await rm(`${fresh}.pub`, { force: true });
  await systemCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', fresh], {
    signal,
  });
  await rename(`${fresh}.pub`, `${file}.pub`);
  await rename(fresh, file); // last: with it, the pair counts as made
  return { privateKey: await readFile(file, 'utf8'), publicKey: await readFile(`${file}.pub`, 'utf8') };
}

async function readKeys(file: string): Promise<HostKeys | undefined> {
  const privateKey = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return privateKey === undefined
    ? undefined
    : { privateKey, publicKey: await readFile(`${file}.pub`, 'utf8') };
}

/** As `ssh-keygen -lf` prints it: SHA-256 of the key blob, base64 without padding (RFC 4255 names the blob). */
export function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
