import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../kit/deadline.ts';
import { readJournal } from '../proofs/read-journal.ts';
import { isAlive, MeshproofProcess } from './meshproof-process.ts';

const CHECKOUT = join(import.meta.dirname, '..');
const LAUNCHER = join(CHECKOUT, 'bin/meshproof.mjs');
const GONE_WITHIN_MS = 15_000;
const IN_TURN = { concurrent: false };
const SOAK = ['--local', '3', '--settle-secs', '3', '--duration-hours', '0.02', '--interval-mins', '0.2'];

/** The directories of PATH that are the machine's own; npm and vitest put those of the checkout before them. */
const OWN_PATH = (process.env.PATH ?? '').split(delimiter).filter((dir) => !dir.includes('node_modules'));

/** The machine's own Node where that is older than the 24 that comes with the package. */
function findOlderNode(): string | undefined {
  const node = OWN_PATH.map((dir) => join(dir, 'node')).find((path) => existsSync(path));
  if (node === undefined) return undefined;
  const major = Number(/^v(\d+)/.exec(execFileSync(node, ['--version'], { encoding: 'utf8' }))?.[1]);
  return major < 24 ? node : undefined;
}

const olderNode = findOlderNode();
/** A machine on which nobody has set anything up: its own PATH, nothing inherited from npm or vitest. */
const MACHINE = {
  extendEnv: false,
  env: { PATH: OWN_PATH.join(delimiter), HOME: process.env.HOME ?? tmpdir() },
  timeout: 90_000,
  reject: false,
  stdin: 'ignore',
} as const;

// First, since packing and installing take longest; the others go on beside it.
describe.concurrent('the packed package', () => {
  let home: string;
  let packed: readonly string[];
  let meshproof: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'meshproof-package-'));
    const pack = await execa('npm', ['pack', '--json', '--pack-destination', home], {
      ...MACHINE,
      cwd: CHECKOUT,
      reject: true,
    });
    const [summary] = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[')));
    packed = summary.files.map(({ path }: { path: string }) => path);
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    const prefix = join(home, 'prefix');
    await mkdir(prefix);
    await execa('npm', ['install', '--global', '--prefix', prefix, ...flags, join(home, summary.filename)], {
      ...MACHINE,
      cwd: home,
      reject: true,
    });
    meshproof = join(prefix, 'bin/meshproof');
  }, 180_000);
  afterAll(() => rm(home, { recursive: true, force: true }));

  const installed = (...args: readonly string[]) => execa(meshproof, args, { ...MACHINE, cwd: home });

  it('holds what is built and its papers, no sources and no tests', IN_TURN, () => {
    expect(packed.filter((path) => !/^(LICENSE|README\.md|CHANGELOG\.md|package\.json)$/.test(path))).toEqual(
      expect.arrayContaining(['bin/meshproof.mjs', 'dist/cli.js', 'dist/bundle/node.js']),
    );
    expect(packed.filter((path) => /\.ts$|test|node_modules|(^|\/)\./.test(path))).toEqual([]);
  });

  it('depends on exactly what its code imports', IN_TURN, async () => {
    const packageHome = join(realpathSync(meshproof), '../..');
    const programs = ['cli.js', 'signing-worker.js', 'bundle/node.js', 'bundle/runner.js'];
    const { metafile } = await build({
      entryPoints: programs.map((file) => join(packageHome, 'dist', file)),
      bundle: true,
      packages: 'external',
      external: ['./bundle-files.ts', '../deploy/bundle-files.ts'],
      platform: 'node',
      format: 'esm',
      outdir: home,
      write: false,
      metafile: true,
    });
    const imported = Object.values(metafile.outputs)
      .flatMap(({ imports }) => imports)
      .filter(({ path, external }) => external && !isBuiltin(path) && !path.startsWith('.'))
      .map(({ path }) => /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
    const { dependencies } = JSON.parse(await readFile(join(packageHome, 'package.json'), 'utf8'));
    expect([...new Set(imported)].toSorted()).toEqual(Object.keys(dependencies).toSorted());
    expect(await readdir(join(packageHome, 'node_modules'))).not.toContain('esbuild');
  });

  it('tells its version and its gates', IN_TURN, async () => {
    const version = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')).version;
    expect(await installed('--version')).toMatchObject({ exitCode: 0, stdout: version });
    expect((await installed('gate', 'list')).stdout).toMatch(/^broad-launch .*\nlimited-production /);
  });

  it('runs a local mesh to GO, and judges its proof the same again', IN_TURN, async () => {
    const run = await installed('run', '--local', '3', '--scenarios', 'baseline', '--proof-dir', 'proof');
    expect(run.exitCode, `${run.stdout}\n${run.stderr}`).toBe(0);
    const { entries } = await readJournal(join(home, 'proof/journal.ndjson'));
    const judged = entries.map(({ record }) => record).find((record) => record.type === 'judged');
    const again = await installed('gate', 'check', 'proof', '--json');
    expect(again.exitCode, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toEqual(judged?.verdict);
  });

  it('refuses a bundle that is not the one that was packed', IN_TURN, async () => {
    const runner = join(realpathSync(meshproof), '../../dist/bundle/runner.js');
    await rm(runner);
    const run = await installed('run', '--local', '2', '--proof-dir', 'damaged');
    expect(run.stderr).toMatch(/BUNDLE_DAMAGED/);
    expect(run.exitCode).toBe(5);
  });
});

describe.runIf(olderNode)('the launcher on a Node that is too old', { concurrent: true }, () => {
  const command = (...args: readonly string[]) => [olderNode ?? 'node', LAUNCHER, ...args];

  it('hands over to the Node of the package, with the exit code of the command', async () => {
    const version = await execa(olderNode ?? 'node', [LAUNCHER, '--version'], MACHINE);
    expect(version).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    const usage = await execa(olderNode ?? 'node', [LAUNCHER, 'run', '--local', '1'], MACHINE);
    expect(usage.exitCode, usage.stderr).toBe(64);
  });

  it.for([
    ['SIGINT', 'the whole process group, as a terminal sends it'],
    ['SIGINT', 'the launcher alone'],
    ['SIGTERM', 'the launcher alone'],
  ] as const)('%s to %s ends the run once, in order, with exit 4', async ([signal, target]) => {
    await using run = await MeshproofProcess.startCommand(command('soak', ...SOAK), { detached: true });
    await run.event('pairs_delivered');
    const launcher = run.child.pid ?? Number.NaN;
    process.kill(target === 'the launcher alone' ? launcher : -launcher, signal);
    expect(await run.exit(30_000), run.told()).toBe(4);
    const ends = run.events.filter(({ event }) => event === 'process_exited');
    expect(ends).toHaveLength(run.pids.length);
    expect(ends).not.toContainEqual(expect.objectContaining({ expected: false }));
    expect(run.events.filter(({ event }) => event === 'interrupted')).toHaveLength(1);
    expect(run.find('still_stopping')).toBeUndefined(); // the terminal's signal and the launcher's are one wish
    const { entries } = await readJournal(join(run.proofDir, 'journal.ndjson'));
    expect(entries.filter(({ record }) => record.type === 'judged')).toHaveLength(1);
  });

  it('leaves nothing behind when it is killed with SIGKILL', async () => {
    await using run = await MeshproofProcess.startCommand(command('soak', ...SOAK));
    await run.event('mesh_ready');
    const children = await readFile(`/proc/${run.child.pid}/task/${run.child.pid}/children`, 'utf8');
    const harness = Number(children.trim());
    expect(isAlive(harness)).toBe(true);
    run.child.kill('SIGKILL');
    await until('no process left', () => ([harness, ...run.pids].some(isAlive) ? undefined : true), {
      budgetMs: GONE_WITHIN_MS,
    });
  });
});

describe.concurrent('an error that nobody caught', () => {
  it.for([
    ['while the command is loaded', "import './not-there.ts';"],
    [
      'in the middle of a command',
      "export const main = () => { setImmediate(() => { throw new Error('late'); }); };",
    ],
    [
      'in a promise that nobody waits for',
      "export const main = () => void Promise.reject(new Error('late'));",
    ],
  ])('%s is a defect, exit 70, and never the 1 of a NO-GO', async ([, source]) => {
    const home = await mkdtemp(join(tmpdir(), 'meshproof-launcher-'));
    try {
      await cp(LAUNCHER, join(home, 'bin/meshproof.mjs'));
      await mkdir(join(home, 'harness'));
      await writeFile(join(home, 'harness/cli.ts'), source ?? '');
      const { exitCode, stderr } = await execa(process.execPath, [join(home, 'bin/meshproof.mjs')], MACHINE);
      expect(stderr).toMatch(/^meshproof: .*(not-there|late).*\[INTERNAL\]/);
      expect(exitCode).toBe(70);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });
});

describe.concurrent('npx in the checkout', () => {
  it('runs the command of the checkout', async () => {
    const { exitCode, stdout, stderr } = await execa('npx', ['--no', 'meshproof', 'gate', 'list'], {
      ...MACHINE,
      cwd: CHECKOUT,
    });
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^broad-launch .*\nlimited-production /);
  });
});
