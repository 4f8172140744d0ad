import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const NODE_PACKAGE = `node-${process.platform}-${process.arch}`;
const PACKAGES = {
  '': { name: 'checkout' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/other-platform': { version: '1.0.0', optional: true },
  [`node_modules/${NODE_PACKAGE}`]: { version: '24.0.0', optional: true },
};
/** Installs as npm does: everything away, then the packages, then its own record of what is there. */
const NPM = `
  const fs = require('node:fs');
  fs.appendFileSync('npm.log', process.argv.slice(2).join(' ') + '\\n');
  if (process.env.FAIL) process.exit(7);
  fs.rmSync('node_modules', { recursive: true, force: true });
  const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
  delete packages[''];
  delete packages['node_modules/other-platform'];
  for (const place of Object.keys(packages)) {
    fs.mkdirSync(place, { recursive: true });
    fs.writeFileSync(place + '/package.json', '{}');
  }
  fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }));`;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshproof-bootstrap-'));
  await mkdir(join(root, 'scripts'));
  await cp(join(import.meta.dirname, 'bootstrap.mjs'), join(root, 'scripts/bootstrap.mjs'));
  await writeFile(join(root, 'npm-cli.js'), NPM);
  await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: PACKAGES }));
});
afterEach(() => rm(root, { recursive: true, force: true }));

function bootstrap(env: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'scripts/bootstrap.mjs')],
      { cwd: tmpdir(), env: { ...process.env, npm_execpath: join(root, 'npm-cli.js'), ...env } },
      (error) => resolve(error === null ? 0 : Number(error.code)),
    );
  });
}

async function installs(): Promise<number> {
  return (await readFile(join(root, 'npm.log'), 'utf8')).trimEnd().split('\n').length;
}

test('the first run installs with all that tests need, the second does nothing', async () => {
  expect(await bootstrap()).toBe(0);
  expect(await readFile(join(root, 'npm.log'), 'utf8')).toMatch(/^ci --include=dev --include=optional /);
  expect(await readlink(join(root, 'node_modules/.bin/meshproof'))).toBe('../../bin/meshproof.mjs');
  expect(await bootstrap()).toBe(0);
  expect(await installs()).toBe(1);
});

test.each([
  ['an interrupted install', () => rm(join(root, 'node_modules/.package-lock.json'))],
  ['a record cut off', () => writeFile(join(root, 'node_modules/.package-lock.json'), '{"packages": {')],
  ['a package removed by hand', () => rm(join(root, 'node_modules/a'), { recursive: true })],
  [
    'another version in the lock file',
    () =>
      writeFile(
        join(root, 'package-lock.json'),
        JSON.stringify({ packages: { ...PACKAGES, 'node_modules/a': { version: '1.0.1' } } }),
      ),
  ],
  [
    'an install that left Node out',
    async () => {
      const record = join(root, 'node_modules/.package-lock.json');
      const { packages } = JSON.parse(await readFile(record, 'utf8'));
      delete packages[`node_modules/${NODE_PACKAGE}`];
      await writeFile(record, JSON.stringify({ packages }));
    },
  ],
])('%s is repaired by the next run', async (_, harm) => {
  await bootstrap();
  await harm();
  expect(await bootstrap()).toBe(0);
  expect(await installs()).toBe(2);
  await bootstrap();
  expect(await installs()).toBe(2);
});

test('when npm fails, so does it, with the same code, and tries again next time', async () => {
  expect(await bootstrap({ FAIL: '1' })).toBe(7);
  expect(await bootstrap()).toBe(0);
  expect(await installs()).toBe(2);
});
