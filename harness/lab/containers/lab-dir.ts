import { mkdir, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, FaultError, messageOf, UsageError } from '../../../kit/errors.ts';

/** What `lab up` writes into its directory; the state goes last. */
const CONTENTS = [
  'hosts',
  'trial',
  'inventory.toml',
  'ssh_config',
  'known_hosts',
  'id_ed25519',
  'id_ed25519.pub',
  'links.lock',
  'links.log',
  'lab.json',
] as const;
/** What it writes first, to put in its place whole. */
const HALVES = ['key.new', 'key.new.pub', ...CONTENTS.map((name) => `${name}.new`)];
const NO_ROOM = ['ENOSPC', 'EDQUOT', 'EROFS'];

/** With its links resolved, as a lab is named by it; `undefined` when it is not there. */
export async function realDir(dir: string): Promise<string | undefined> {
  return await realpath(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}

/**
 * The directory for a lab, made when it is not there.
 * @throws UsageError `LAB_DIR` when it cannot be one, or holds something else
 */
export async function claimLabDir(dir: string): Promise<string> {
  const entries = await makeDirectory(dir).catch((cause: unknown) => {
    throw new UsageError('LAB_DIR', `--dir: "${dir}" cannot be a directory for a lab: ${messageOf(cause)}`, {
      details: { dir },
      cause,
    });
  });
  if (entries.includes('lab.json') || entries.every(isOfCutOffStart)) return await realpath(dir);
  throw new UsageError(
    'LAB_DIR',
    `--dir: "${dir}" is not empty and holds no lab: expected a directory of its own`,
  );
}

/** Removes what `lab up` writes, written whole or half, and nothing else. */
export async function clearLabDir(dir: string): Promise<void> {
  for (const name of [...HALVES, ...CONTENTS]) await rm(join(dir, name), { recursive: true, force: true });
}

/** Removes what a `lab up` left that was ended before it had written anything down; says whether there was something. */
export async function clearCutOffStart(dir: string): Promise<'cleared' | 'nothing'> {
  const entries = await readdir(dir).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return [];
    throw error;
  });
  if (entries.length === 0 || !entries.every(isOfCutOffStart)) return 'nothing';
  await clearLabDir(dir);
  return 'cleared';
}

/** Removes the directory of a lab when nothing else is in it, and it is no file system of its own. */
export async function removeEmptyDir(dir: string): Promise<void> {
  await rmdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes(error.code ?? '')) throw error;
  });
}

/** An error that says where there is no room; any other as it is. */
export function orNoRoom(error: unknown, dir: string): unknown {
  if (!NO_ROOM.includes(codeOf(error))) return error;
  return new FaultError(
    'LAB_DISK',
    `nothing can be written to the file system of ${dir}: ${messageOf(error)}`,
    {
      details: { dir },
      cause: error,
    },
  );
}

export function isNoRoom(error: unknown): boolean {
  return NO_ROOM.includes(codeOf(error));
}

function isOfCutOffStart(name: string): boolean {
  return name === 'trial' || name === 'lab.json.new';
}

/** One step at a time, for Node's own recursion never ends below `/proc`; gives what is in it. */
async function makeDirectory(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (entries !== undefined) return entries;
  if (dirname(dir) !== dir) await makeDirectory(dirname(dir));
  await mkdir(dir, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error; // another command was faster
  });
  return [];
}
