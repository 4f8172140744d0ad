#!/usr/bin/env node
// The `meshproof` command. Runs on whatever Node started it: hands over to the Node 24 that came with the package
// when that one is too old, and to the built JavaScript when there is no source beside it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
const source = new URL('../harness/cli.ts', import.meta.url);
const built = new URL('../dist/cli.js', import.meta.url);
const entry = existsSync(source) ? source : built;

/** The Node binary that npm installed beside us, or `undefined`. */
function bundledNode() {
  const require = createRequire(import.meta.url);
  for (const name of [`node-${process.platform}-${process.arch}`]) {
    try {
      return require.resolve(`${name}/bin/node`);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  const { main } = await import(entry.href);
  await main(process.argv.slice(2));
} else {
  const node = bundledNode();
  if (node === undefined) {
    console.error(
      `meshproof needs Node ${NEEDED_MAJOR} or newer; this is ${process.version} and no node-${process.platform}-${process.arch} package is installed`,
    );
    process.exit(5);
  }
  // fd 3 is the child's lifeline: it closes with this process, however this process ends.
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, MESHPROOF_LIFELINE_FD: '3' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    // A terminal sends SIGINT to the whole group, so the child has its own; from elsewhere it needs ours.
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
