#!/usr/bin/env node
// The `meshproof` command. Runs on whatever Node started it: hands over to the Node 24 that came with the package
// when that one is too old, and to the built JavaScript when there is no source beside it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { constants, homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
const EXIT_INTERRUPTED = 4;
const EXIT_FAULT = 5;
const EXIT_INTERNAL = 70;
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

function majorOf(version) {
  return Number(version.split('.')[0]);
}

/** The Node binary that npm installed for us, wherever npm has put the package; `undefined` when there is none. */
function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`;
  // Not `require.resolve`: the package may hide its files behind `exports`, and another major may lie nearer.
  for (const dir of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const home = join(dir, name);
    if (!existsSync(join(home, 'package.json'))) continue;
    const { version, bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const binary = join(home, typeof bin === 'string' ? bin : (bin?.node ?? 'bin/node'));
    if (majorOf(version) >= NEEDED_MAJOR && existsSync(binary)) return binary;
  }
  return undefined;
}

function endWith(exitCode, message) {
  console.error(`meshproof: ${message}`);
  process.exit(exitCode);
}

/** Where compiled code is kept between calls: a directory of this user's, which nobody else can put code into. */
function compileCacheDir(source) {
  if (existsSync(source))
    return fileURLToPath(new URL('../node_modules/.cache/meshproof/code', import.meta.url));
  const cache = process.env.XDG_CACHE_HOME ?? '';
  return join(isAbsolute(cache) ? cache : join(homedir(), '.cache'), 'meshproof/code');
}

async function runHere() {
  const source = new URL('../harness/cli.ts', import.meta.url);
  const built = new URL('../dist/cli.js', import.meta.url);
  if (!existsSync(source) && !existsSync(built)) {
    endWith(EXIT_FAULT, 'this package holds no dist/: install it again, or build it with `npm run build`');
  }
  for (const signal of ENDING_SIGNALS) {
    // A command that has something to take down listens too, and then its own end decides the exit code.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(EXIT_INTERRUPTED);
    });
  }
  // Node's own code for an error that nobody caught is 1, which would say NO-GO. A run has a way of its own to end.
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') > 1) return;
    endWith(EXIT_INTERNAL, `${error?.message ?? error} [INTERNAL]\n${error?.stack ?? ''}`);
  });
  module.enableCompileCache(compileCacheDir(source)); // not a named import: an older Node, which only hands over, has none
  const { main } = await import(existsSync(source) ? source.href : built.href);
  await main(process.argv.slice(2));
}

function handOverTo(node) {
  // fd 3 is the child's lifeline: it closes with this process, however this process ends.
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, MESHPROOF_LIFELINE_FD: '3' },
  });
  // A terminal sends SIGINT to the child as well as to us; the child takes the second for the first.
  for (const signal of ENDING_SIGNALS) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => endWith(EXIT_FAULT, `${node} does not start: ${error.message}`));
  child.once('exit', (code, signal) => {
    if (ENDING_SIGNALS.includes(signal)) process.exit(EXIT_INTERRUPTED);
    process.exit(code ?? 128 + constants.signals[signal]);
  });
}

if (majorOf(process.versions.node) >= NEEDED_MAJOR) {
  await runHere();
} else {
  const node = bundledNode();
  if (node !== undefined) handOverTo(node);
  else {
    endWith(
      EXIT_FAULT,
      `needs Node ${NEEDED_MAJOR} or newer; this is ${process.version}, and node-${process.platform}-${process.arch}, ` +
        'which would bring one, is not installed (was it left out with --omit=optional?)',
    );
  }
}
