// Makes `npm run quickstart` and `npm test` work as the very first command after a clone.
// Runs on whatever Node the machine has (20 or newer), so it uses nothing beyond node: built-ins.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, 'node_modules', '.meshproof-installed');
const lockDigest = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== lockDigest) {
  console.error('meshproof: installing npm packages (first run, or the lock file changed)…');
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (install.status !== 0) {
    console.error('meshproof: npm ci failed; see its message above');
    process.exit(install.status ?? 1);
  }
  writeFileSync(stampFile, lockDigest);
}
