import { readdirSync } from 'node:fs';
import { chmod, chown, link, lstat, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../../kit/errors.ts';
import type { DiskPlan } from './disk-plan.ts';
import { systemCommand } from './system-command.ts';

/** Directories whose mode on the machine may not be what a server's is. */
const MODES: Readonly<Record<string, number>> = { '/root': 0o700, '/root/.ssh': 0o700 };
const NEW_DIRECTORY_MODE = 0o755;

/** Names in a directory of this machine; none when there is no such directory. */
export function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/**
 * Writes the disk of a host as the upper layer of an overlay, whole or not at all; one that is there stays as the host
 * left it. A hidden path is a whiteout: the character device 0:0 (kernel documentation, filesystems/overlayfs).
 */
export async function writeDisk(disk: string, plan: DiskPlan, signal: AbortSignal): Promise<void> {
  if ((await lstat(disk).catch(() => undefined)) !== undefined) return;
  const fresh = `${disk}.new`;
  const whiteout = `${disk}.whiteout`;
  await rm(fresh, { recursive: true, force: true });
  await rm(whiteout, { force: true });
  await mkdir(fresh, { recursive: true, mode: NEW_DIRECTORY_MODE });
  for (const path of plan.directories) await makeDirectory(fresh, path);
  await systemCommand(['mknod', whiteout, 'c', '0', '0'], { signal });
  for (const path of plan.hidden) await link(whiteout, join(fresh, path));
  await rm(whiteout);
  for (const file of plan.files) {
    const path = join(fresh, file.path);
    if ('target' in file) await symlink(file.target, path);
    else {
      await writeFile(path, file.content, { mode: file.mode });
      await chmod(path, file.mode); // the umask has its say above
    }
  }
  await rename(fresh, disk);
}

async function makeDirectory(disk: string, path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  const made = join(disk, path);
  await mkdir(made);
  await chmod(made, MODES[path] ?? (there ? there.mode & 0o7777 : NEW_DIRECTORY_MODE));
  if (there) await chown(made, there.uid, there.gid);
}
