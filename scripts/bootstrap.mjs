// Makes `npm run quickstart` and `npm test` work as the very first command after a clone.
// Runs on whatever Node the machine has (20 or newer), so it uses nothing beyond node: built-ins.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const OWN_NODE = `node_modules/node-${process.platform}-${process.arch}`;

/** The packages of a lock file by their place; `undefined` when it is missing or cut off. */
function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * What of package-lock.json is not installed. npm writes node_modules/.package-lock.json at the very end of an
 * install and removes it with everything else at the start of `npm ci`: an interrupted install has none.
 */
function missingPackages() {
  const wanted = Object.entries(lockedPackages('package-lock.json') ?? {}).filter(([place]) => place !== '');
  const installed = lockedPackages('node_modules/.package-lock.json');
  return wanted.flatMap(([place, { version, optional }]) => {
    const found = installed?.[place];
    // npm leaves out optional packages that are made for other platforms; the Node for this one must be there.
    if (found === undefined && optional && installed && place !== OWN_NODE) return [];
    if (found === undefined) return [place];
    return found.version === version && existsSync(join(root, place, 'package.json')) ? [] : [place];
  });
}

/** npm by the Node that runs this, so that nothing depends on a shell or on what `npm` means to it. */
function npmCi() {
  const npm = process.env.npm_execpath;
  const [command, ...before] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  // An environment of production or a personal npm configuration must not leave out the tests' tools or Node itself.
  const flags = ['--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  return spawnSync(command, [...before, 'ci', ...flags], { cwd: root, stdio: 'inherit' });
}

const missing = missingPackages();
if (missing.length > 0) {
  console.error(`meshproof: installing npm packages (${missing.length} missing or of another version)…`);
  const { status, error } = npmCi();
  if (status !== 0) {
    console.error(`meshproof: npm ci failed: ${error?.message ?? 'see its message above'}`);
    process.exit(status ?? 1);
  }
}

// Lets `npx meshproof` find the command of this checkout at once instead of installing it somewhere first.
const link = join(root, 'node_modules/.bin/meshproof');
if (process.platform !== 'win32' && !lstatSync(link, { throwIfNoEntry: false })) {
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync('../../bin/meshproof.mjs', link);
}
