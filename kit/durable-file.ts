import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from './errors.ts';

/** Makes names created, renamed or removed in `directory` survive a crash. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Puts `bytes` at `path`, whole or not at all: a temporary file beside it, synced, then renamed over it. The caller
 * syncs the directory when the name itself must survive.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'w');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Makes `directory` and what is missing above it; gives the new ones, uppermost first. Node's own recursive `mkdir`
 * never ends where the parent is there and still answers ENOENT, as below `/proc`.
 */
export async function makeDirectories(directory: string, mode = 0o777): Promise<readonly string[]> {
  try {
    await mkdir(directory, { mode });
    return [directory];
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return [];
    if (codeOf(error) !== 'ENOENT' || dirname(directory) === directory) throw error;
  }
  const above = await makeDirectories(dirname(directory), mode);
  try {
    await mkdir(directory, { mode });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return [...above, directory];
}
