import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

const RUNTIMES = ['node', 'nodejs', 'npm', 'npx', 'corepack'];

/**
 * What a host must not find on its disk, so that a deployment is honest: this program, every Node of this machine, and
 * the labs. Absolute paths, links resolved.
 */
export function notForHosts(labDir: string): readonly string[] {
  const dirs = new Set([dirname(process.execPath), ...(process.env.PATH ?? '').split(':')]);
  const runtimes = [...dirs]
    .filter((dir) => dir.startsWith('/') && existsSync(dir))
    .map((dir) => realpathSync(dir))
    .flatMap((dir) => RUNTIMES.map((name) => join(dir, name)))
    .filter((path) => existsSync(path));
  return [...new Set([labDir, packageRoot(), ...runtimes, ...runtimes.map((path) => realpathSync(path))])];
}

/** The checkout or the installed package: where the nearest package.json above this file is. */
function packageRoot(): string {
  for (let at = realpathSync(import.meta.dirname); at !== '/'; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
  }
  return realpathSync(import.meta.dirname);
}
