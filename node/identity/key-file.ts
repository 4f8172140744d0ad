import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectories, syncDirectory } from '../../kit/durable-file.ts';
import { codeOf, FaultError, messageOf, UsageError } from '../../kit/errors.ts';

const MAX_KEY_FILE_BYTES = 4_096; // a key file has about 250
const OTHERS_MAY = 0o077;

function unreadable(path: string, cause: unknown): UsageError {
  return new UsageError('KEY_FILE_UNREADABLE', `key file ${path} cannot be read: ${messageOf(cause)}`, {
    details: { file: path, cause: codeOf(cause) },
    cause,
  });
}

/** A key file that cannot be used as it is; it is never overwritten. */
export function damagedKeyFile(path: string, why: string): UsageError {
  return new UsageError(
    'KEY_FILE_DAMAGED',
    `key file ${path} cannot be used: ${why}; restore it, or move it away to start with a new identity`,
    { details: { file: path, why } },
  );
}

async function readPrivate(file: FileHandle, path: string): Promise<string> {
  const stats = await file.stat();
  if (!stats.isFile()) throw damagedKeyFile(path, 'it is not a regular file');
  const mode = stats.mode & 0o777;
  if (process.platform !== 'win32' && (mode & OTHERS_MAY) !== 0) {
    const octal = mode.toString(8).padStart(4, '0');
    throw new UsageError(
      'KEY_FILE_EXPOSED',
      `key file ${path} has mode ${octal}, so that others may read or change it; run: chmod 600 '${path}'`,
      { details: { file: path, mode: octal } },
    );
  }
  if (stats.size > MAX_KEY_FILE_BYTES) throw damagedKeyFile(path, `it has ${stats.size} bytes`);
  return await file.readFile('utf8');
}

/**
 * The text of a private file, or `undefined` when there is none.
 * @throws UsageError `KEY_FILE_EXPOSED`, `KEY_FILE_DAMAGED` or `KEY_FILE_UNREADABLE`
 */
export async function readKeyFile(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
  try {
    return await readPrivate(file, path);
  } catch (error) {
    throw error instanceof UsageError ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Puts a new private file in place, whole or not at all and never over another: a synced temporary file is linked to
 * its name, and a link, other than a rename, fails when the name is taken. Missing directories are made with 0700.
 * @returns whether this call made it; false means that another process was first
 * @throws FaultError `KEY_FILE_NOT_WRITTEN`
 */
export async function createKeyFile(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}.new`;
  try {
    await makeDirectories(dirname(path), 0o700);
    await writeSynced(temporary, text);
    try {
      await link(temporary, path);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
    await syncDirectory(dirname(path));
    return true;
  } catch (error) {
    throw new FaultError('KEY_FILE_NOT_WRITTEN', `key file ${path} cannot be made: ${messageOf(error)}`, {
      details: { file: path, cause: codeOf(error) },
      cause: error,
    });
  }
}
