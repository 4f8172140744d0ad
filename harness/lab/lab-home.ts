import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LAB_HOME = /^meshproof-lab-(\d+)-/;

/**
 * A fresh directory for the mesh of this process. Directories of processes that were killed before they could remove
 * theirs go first: they hold keys and tokens that nobody uses any more.
 */
export async function makeLabHome(parent: string = tmpdir()): Promise<string> {
  for (const name of await readdir(parent)) {
    const pid = Number(LAB_HOME.exec(name)?.[1]);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const path = join(parent, name);
    const owner = await stat(path).catch(() => undefined); // another run may have removed it just now
    if (owner?.uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
  }
  return await mkdtemp(join(parent, `meshproof-lab-${process.pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
