import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { until } from '../kit/deadline.ts';
import { readJournal } from '../proofs/read-journal.ts';
import { isAlive, MeshproofProcess } from './meshproof-process.ts';

const BASELINE = ['--local', '2', '--settle-secs', '4', '--telemetry-secs', '1', '--scenarios', 'baseline'];
const SOAK = [...BASELINE, '--duration-hours', '0.02', '--interval-mins', '0.2'];
/** A shell line; the proof goes beside what the run keeps for itself. */
const RUN = `$MESHPROOF run ${BASELINE.join(' ')} --proof-dir $PROOF`;
/** One that is to be a GO: its telemetry outlives a moment in which the machine stands still. */
const PATIENT_RUN = `${RUN} --telemetry-secs 10`;

/** A directory of one test's own, below which its runs keep the directories of their nodes. */
class Scratch implements AsyncDisposable {
  readonly #home: string;
  /** Where the programs of the test put what they do not say a place for. */
  readonly temporary: string;

  private constructor(home: string, temporary: string) {
    this.#home = home;
    this.temporary = temporary;
  }

  static async make(): Promise<Scratch> {
    const home = await mkdtemp(join(tmpdir(), 'meshproof-ways-'));
    return new Scratch(home, await mkdtemp(join(home, 'tmp-')));
  }

  path(name: string): string {
    return join(this.#home, name);
  }

  start(...args: readonly string[]): Promise<MeshproofProcess> {
    return MeshproofProcess.startWith({ env: { ...process.env, TMPDIR: this.temporary } }, ...args);
  }

  /** Runs a shell line with `$MESHPROOF` and `$PROOF` in it, and gives its exit code and what it wrote. */
  async shell(line: string, proof = this.path('proof')) {
    const command = `${process.execPath} ${inject('meshproof')}`;
    const child = spawn('bash', ['-c', line], {
      env: { ...process.env, MESHPROOF: command, PROOF: proof, TMPDIR: this.temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, 'close');
    return { code, stdout, stderr };
  }

  async expectNothingLeft(pids: readonly number[] = []): Promise<void> {
    expect(pids.filter(isAlive)).toEqual([]);
    expect(await readdir(this.temporary)).toEqual([]);
  }

  async expectInterrupted(run: MeshproofProcess): Promise<void> {
    expect(await run.exit(60_000), run.told() + run.stderr).toBe(4);
    expect(run.find('judged')).toMatchObject({ verdict: 'INCONCLUSIVE', exit_code: 4 });
    const { entries, torn } = await readJournal(join(run.proofDir, 'journal.ndjson'));
    expect(torn).toBeNull();
    expect(entries.map(({ record }) => record.type)).toContain('run_interrupted');
    expect(entries.some(({ record }) => record.type === 'process_exited' && !record.expected)).toBe(false);
    await this.expectNothingLeft(run.pids);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }
}

describe.concurrent('a run that is asked to end', () => {
  it.for([
    ['SIGINT', 'run_started'],
    ['SIGTERM', 'process_started'],
    ['SIGHUP', 'mesh_ready'],
    ['SIGINT', 'window_started'],
    ['SIGHUP', 'waiting'],
  ] as const)('by %s at %s is judged INCONCLUSIVE, exits 4 and leaves nothing', async ([signal, moment]) => {
    await using scratch = await Scratch.make();
    await using run = await scratch.start('soak', ...SOAK);
    await run.event(moment);
    run.child.kill(signal);
    await scratch.expectInterrupted(run);
  });

  it('again and again while it is ending still ends in order', async () => {
    await using scratch = await Scratch.make();
    await using run = await scratch.start('soak', ...SOAK);
    await run.event('scenario_started');
    run.child.kill('SIGINT');
    await run.event('interrupted');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) run.child.kill(signal);
    await scratch.expectInterrupted(run);
  });

  it('by Ctrl-C, which a terminal sends to the whole process group, does not lose its nodes to it', async () => {
    await using scratch = await Scratch.make();
    await using run = await scratch.start('soak', ...SOAK);
    await run.event('scenario_started');
    const everyone = [run.child.pid ?? Number.NaN, ...run.pids];
    const group = await inGroupOf(run.child.pid ?? Number.NaN, everyone);
    for (const pid of group) process.kill(pid, 'SIGINT');
    await scratch.expectInterrupted(run);
  });
});

/** Those of `pids` whom a signal to the process group of `leader` would reach. */
async function inGroupOf(leader: number, pids: readonly number[]): Promise<readonly number[]> {
  const groups = await Promise.all(
    pids.map(
      (pid) =>
        new Promise<string>((resolve) => {
          execFile('ps', ['-o', 'pgid=', '-p', String(pid)], (_error, stdout) => resolve(stdout.trim()));
        }),
    ),
  );
  const own = groups[pids.indexOf(leader)];
  return pids.filter((_, index) => groups[index] === own);
}

const SMALL_GATE = `
name = "small"
description = "every planned pair"

[[objective]]
name = "every planned pair delivered"
metric = "pairs.delivered_ratio"
scope = "pair"
scenarios = ["baseline"]
limit = { min = 1 }
why = "a test needs one"
`;

describe.concurrent('a soak whose windows take longer than their interval', () => {
  it('is INCONCLUSIVE naming the windows that were missed', async () => {
    const soak = ['soak', '--local', '2', '--duration-hours', '0.0002', '--interval-mins', '0.003'];
    await using scratch = await Scratch.make();
    await using run = await scratch.start(...soak, '--telemetry-secs', '0.2', '--burst-messages', '60');
    expect(await run.exit(60_000), run.told() + run.stderr).toBe(2);
    const missed = run.events.filter(({ event }) => event === 'window_missed');
    expect(missed.length).toBeGreaterThan(0);
    expect(run.find('judged')?.reasons.join('\n')).toMatch(/window 2 of 4 did not run \(missed\)/);
    await scratch.expectNothingLeft(run.pids);
  });
});

describe.concurrent('a run whose output nobody takes', () => {
  it('goes on to its verdict when its reader leaves after one line', async () => {
    await using scratch = await Scratch.make();
    const { stdout } = await scratch.shell(`${PATIENT_RUN} --json | head -1; echo "exit \${PIPESTATUS[0]}"`);
    expect(stdout).toMatch(/exit 0/);
    const { entries } = await readJournal(scratch.path('proof/journal.ndjson'));
    expect(entries.at(-1)?.record).toMatchObject({ type: 'run_finished', exit_code: 0 });
    await scratch.expectNothingLeft();
  });

  it('goes on to its verdict with stdout and stderr closed; one that cannot be printed later is a fault', async () => {
    await using scratch = await Scratch.make();
    expect(await scratch.shell(`${PATIENT_RUN} >&- 2>&-`)).toMatchObject({ code: 0 });
    await scratch.expectNothingLeft();
    expect(await scratch.shell('$MESHPROOF gate check $PROOF > /dev/full')).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/cannot write to stdout.*OUTPUT_FAILED/),
    });
    expect(await scratch.shell('$MESHPROOF proof show $PROOF | head -1')).toMatchObject({
      code: 0,
      stderr: '',
    });
  });
});

describe.concurrent('a disk that is full in the middle of a run', () => {
  it('is one clear line and exit 5; the journal is whole and says INCONCLUSIVE', async () => {
    await using scratch = await Scratch.make();
    const gate = scratch.path('gate.toml'); // small enough to be written; the journal is not
    await writeFile(gate, SMALL_GATE);
    const { code, stderr } = await scratch.shell(`ulimit -f 8; exec ${RUN} --gate ${gate}`);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/cannot write .*\[(JOURNAL|PROOF)_WRITE_FAILED\]/);
    expect(code).toBe(5);
    await scratch.expectNothingLeft();
    const { entries, torn } = await readJournal(scratch.path('proof/journal.ndjson'));
    expect(torn).toBeNull();
    expect(entries[0]?.record.type).toBe('run_started');
    expect(await scratch.shell('$MESHPROOF gate check $PROOF')).toMatchObject({ code: 2, stderr: '' });
  });

  it('is the same on a file system that has no block left', async ({ skip }) => {
    await using scratch = await Scratch.make();
    const disk = scratch.path('disk');
    const mounted = await scratch.shell(`mkdir ${disk} && mount -t tmpfs -o size=64k meshproof-test ${disk}`);
    if (mounted.code !== 0) skip(`no tmpfs can be mounted here: ${mounted.stderr.trim()}`);
    try {
      const { code, stderr } = await scratch.shell(RUN, join(disk, 'proof'));
      expect(stderr).toMatch(/no space left.*\[(JOURNAL|PROOF)_WRITE_FAILED\]/);
      expect(code).toBe(5);
      const { torn } = await readJournal(join(disk, 'proof', 'journal.ndjson'));
      expect(torn).toBeNull();
    } finally {
      await scratch.shell(`umount ${disk}`);
    }
    await scratch.expectNothingLeft();
  });
});

describe.concurrent('a proof that is looked at later', () => {
  it('of a run that was killed is INCONCLUSIVE and can be shown, with the links that it had', async () => {
    await using scratch = await Scratch.make();
    await using run = await scratch.start('soak', ...SOAK, '--links', 'lan');
    await run.event('window_judged');
    run.child.kill('SIGKILL');
    await run.exit();
    await until('no process left', () => (run.pids.some(isAlive) ? undefined : true), { budgetMs: 30_000 });
    expect(await scratch.shell('$MESHPROOF gate check $PROOF', run.proofDir)).toMatchObject({ code: 2 });
    const { code, stdout } = await scratch.shell('$MESHPROOF proof show $PROOF', run.proofDir);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^INCONCLUSIVE/);
    expect(stdout).toMatch(/Links: lan/);
    expect(stdout).toMatch(/node1↔node2 +0\.2 /);
  });

  it.for([
    ['an empty directory', 'mkdir $PROOF', 64, /is not a proof directory/],
    ['a file', 'touch $PROOF', 64, /is not a proof directory/],
    ['a journal that cannot be read', 'mkdir -p $PROOF/journal.ndjson', 64, /is not a proof directory/],
  ] as const)('of %s is named in one line', async ([, prepare, code, line]) => {
    await using scratch = await Scratch.make();
    await scratch.shell(prepare);
    for (const command of ['gate check', 'proof show']) {
      const told = await scratch.shell(`$MESHPROOF ${command} $PROOF`);
      expect(told).toMatchObject({ code, stderr: expect.stringMatching(line) });
      expect(told.stderr.trim().split('\n')).toHaveLength(1);
    }
  });

  it('that this user may not read is named in one line, exit 5', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('needs root to become somebody else');
    await using scratch = await Scratch.make();
    await scratch.shell('mkdir -m 700 $PROOF; chmod 755 $(dirname $PROOF); touch $PROOF/journal.ndjson');
    const { code, stderr } = await scratch.shell(
      'setpriv --reuid 65534 --clear-groups -- $MESHPROOF gate check $PROOF',
    );
    if (/Cannot find module|EACCES.*bin|Permission denied/.test(stderr))
      skip('another user cannot run this checkout');
    expect(stderr).toMatch(/cannot read .*journal\.ndjson.*\[JOURNAL_UNREADABLE\]/);
    expect(code).toBe(5);
  });
});
