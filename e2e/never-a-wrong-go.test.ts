import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { realClock } from '../kit/clock.ts';
import { until } from '../kit/deadline.ts';
import { isAlive, MeshproofProcess } from './meshproof-process.ts';
import { meshproof } from './short-command.ts';

const SHORT = ['--local', '3', '--settle-secs', '2', '--telemetry-secs', '2'];
/** A burst long enough for a test to do harm while it goes on. */
const LONG_BURST = [...SHORT, '--gate', 'broad-launch', '--burst-messages', '200', '--burst-delay-ms', '20'];

const STOOD_STILL_MS = 6_000; // the harm itself, not a wait for something: three rounds of telemetry

async function startAndWaitForBurst(): Promise<MeshproofProcess> {
  const run = await MeshproofProcess.start('run', ...LONG_BURST);
  await run.event('scenario_started', ({ scenario }) => scenario === 'fanout_burst');
  return run;
}

// Mostly waiting, so side by side.
describe.concurrent('a run in which something was harmed is never a GO', () => {
  it('ends NO-GO naming the node whose process was killed mid-window', async () => {
    await using run = await startAndWaitForBurst();
    process.kill(await run.pidOf('node2', 'node'), 'SIGKILL');
    expect(await run.exit(), run.told()).toBe(1);
    const judged = await run.event('judged');
    expect(judged.verdict).toBe('NO-GO');
    expect(judged.reasons.join('\n')).toMatch(/node2/);
  });

  it('does not pass a node that was stopped mid-window', async () => {
    await using run = await startAndWaitForBurst();
    process.kill(await run.pidOf('node3', 'node'), 'SIGSTOP');
    expect([1, 2], run.told()).toContain(await run.exit());
    const judged = await run.event('judged');
    expect(judged.reasons.join('\n')).toMatch(/node3/);
  });

  it('ends NO-GO naming the runner that was killed', async () => {
    await using run = await startAndWaitForBurst();
    process.kill(await run.pidOf('node2', 'runner'), 'SIGKILL');
    expect(await run.exit(), run.told()).toBe(1);
    const judged = await run.event('judged');
    expect(judged.reasons.join('\n')).toMatch(/runner.*node2|node2.*runner/);
  });

  it('ends NO-GO naming both ends of the pairs that a dead runner could not serve', async () => {
    await using run = await MeshproofProcess.start(
      'soak',
      ...SHORT,
      '--scenarios',
      'baseline',
      '--duration-hours',
      '0.004',
      '--interval-mins',
      '0.12',
    );
    await run.event('window_judged');
    process.kill(await run.pidOf('node2', 'runner'), 'SIGKILL');
    expect(await run.exit(), run.told()).toBe(1);
    const judged = await run.event('judged');
    expect(judged.reasons.join('\n')).toMatch(/node2 ?(→|->) ?node3/);
    expect(judged.reasons.join('\n')).toMatch(/node1 ?(→|->) ?node2/);
  });

  it('does not pass a node that was restarted between two samples', async () => {
    await using run = await startAndWaitForBurst();
    const pid = await run.pidOf('node3', 'node');
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').filter((part) => part !== '');
    process.kill(pid, 'SIGTERM');
    await until('the node to stop', () => (isAlive(pid) ? undefined : true), { budgetMs: 30_000 });
    const again = spawn(args[0] ?? process.execPath, args.slice(1), { stdio: 'ignore' });
    using undo = new DisposableStack();
    undo.defer(() => again.kill('SIGKILL'));
    expect([1, 2], run.told()).toContain(await run.exit());
    const judged = await run.event('judged');
    expect(judged.reasons.join('\n')).toMatch(/node3/);
  });

  it('does not pass a node that stood still between two windows', async () => {
    await using run = await MeshproofProcess.start(
      'soak',
      ...SHORT,
      '--gate',
      'broad-launch',
      '--burst-messages',
      '20',
      '--duration-hours',
      '0.011',
      '--interval-mins',
      '0.33',
    );
    const pid = await run.pidOf('node3', 'node');
    await run.event('waiting', ({ window }) => window === 2);
    process.kill(pid, 'SIGSTOP');
    await realClock.sleep(STOOD_STILL_MS);
    process.kill(pid, 'SIGCONT');
    expect(
      run.find('window_started', ({ window }) => window === 2),
      'it went on in time',
    ).toBeUndefined();
    expect([1, 2], run.told()).toContain(await run.exit());
    const judged = await run.event('judged');
    expect(judged.verdict).not.toBe('GO');
    expect(judged.reasons.join('\n')).toMatch(/node3/);
  });

  it('is INCONCLUSIVE and exits 4 when interrupted after window 1 of 3', async () => {
    await using run = await MeshproofProcess.start(
      'soak',
      ...SHORT,
      '--scenarios',
      'baseline',
      '--duration-hours',
      '0.01',
      '--interval-mins',
      '0.2',
    );
    await run.event('window_judged');
    run.child.kill('SIGINT');
    expect(await run.exit(), run.told()).toBe(4);
    const judged = await run.event('judged');
    expect(judged.verdict).toBe('INCONCLUSIVE');
    expect(judged.reasons.join('\n')).toMatch(/window 2/);

    expect(await meshproof('gate', 'check', run.proofDir)).toMatchObject({ code: 2 });
  });
});
