import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshproofProcess } from '../meshproof-process.ts';
import { SideBySide } from '../side-by-side.ts';

const MESH = ['--local', '3', '--telemetry-secs', '10', '--settle-secs', '10', '--stop-on', 'none'];
const LEAVE = ['--allow-netem', '--allow-partition', '--allow-pause'];
/** Of the slowest of them, on a machine that does other things too. */
const BUDGET_MS = 240_000;

const sideBySide = new SideBySide();
afterAll(() => sideBySide.close());
const begin = (
  scenarios: string,
  options: readonly string[],
  meanwhile?: (run: MeshproofProcess) => Promise<void>,
) =>
  sideBySide.begin([...MESH, ...LEAVE, '--scenarios', `baseline,${scenarios}`, ...options], {
    budgetMs: BUDGET_MS,
    ...(meanwhile && { meanwhile }),
  });
type Run = ReturnType<typeof begin>;

/** The faults that it made, as what became of each. */
async function faultsOf(run: Run, state: 'bites' | 'gone') {
  return (await run).events.flatMap((event) =>
    event.event === 'fault_state' && event.state === state ? [event.kind] : [],
  );
}

describe('a mesh of real nodes that is harmed', { timeout: BUDGET_MS + 30_000 }, () => {
  let slowNode: Run;
  let pausedNode: Run;
  let halfDeadLink: Run;
  let partedLogs: Run;
  let lostWhilePaused: Run;
  let stoppedNode: Run;
  let tooShortATime: Run;
  beforeAll(() => {
    slowNode = begin('high_rtt_peer', ['--netem-window-secs', '12', '--heal-secs', '60']);
    const pause = ['--pause-secs', '36'];
    lostWhilePaused = begin('stale_peer', [...pause, '--recover-secs', '5'], async (run) => {
      await run.event('fault_state', ({ state }) => state === 'bites', BUDGET_MS);
      process.kill(await run.pidOf('node3', 'node'), 'SIGKILL');
    });
    const short = ['--idle-secs', '5', '--write-secs', '2', '--heal-secs', '5'];
    stoppedNode = begin('idle_rot,convergence', short, async (run) => {
      await run.event('scenario_started', ({ scenario }) => scenario === 'idle_rot', BUDGET_MS);
      process.kill(await run.pidOf('node3', 'node'), 'SIGSTOP');
    });
    pausedNode = begin('stale_peer', pause);
    halfDeadLink = begin('asymmetric_reachability,idle_rot', ['--idle-secs', '5']);
    partedLogs = begin('convergence', ['--converge-side', 'node3', '--write-secs', '5']);
    // Three proofs of 8 s at least have to fail first: within 10 s a node is as one that never looks. A rest takes 30 s.
    const tooShort = ['--find-secs', '10', '--netem-window-secs', '12', '--heal-secs', '5'];
    tooShortATime = begin('asymmetric_reachability,high_rtt_peer', tooShort);
  });

  it('rests a slow node and takes it back', async () => {
    const { code, told } = await slowNode;
    expect(code, told).toBe(0);
    expect(await faultsOf(slowNode, 'bites')).toEqual(['shape']);
    expect(await faultsOf(slowNode, 'gone')).toEqual(['shape']);
  });

  it('ends up with one log, although it was written to across a partition', async () => {
    const { code, told } = await partedLogs;
    expect(code, told).toBe(0);
    expect(await faultsOf(partedLogs, 'bites')).toEqual(['cut']);
    expect(await faultsOf(partedLogs, 'gone')).toEqual(['cut']);
  });

  it('takes a paused node back', async () => {
    const { code, told } = await pausedNode;
    expect(code, told).toBe(0);
    expect(await faultsOf(pausedNode, 'gone')).toEqual(['pause']);
  });

  it('replaces a half-dead link, and delivers at once after silence', async () => {
    const { code, told } = await halfDeadLink;
    expect(code, told).toBe(0);
    // No GO without a fault that bit: what is told of it meanwhile may come before the cut has met traffic.
    expect(await faultsOf(halfDeadLink, 'gone')).toEqual(['cut']);
  });

  it('is NO-GO when the paused node does not live to be resumed', async () => {
    const { code, reasons, told } = await lostWhilePaused;
    expect(code, told).toBe(1);
    expect(reasons).toMatch(/stale peer back: .*node3 did not deliver again/);
  });

  it('is NO-GO when a node has rotted in the silence, and when its log is not what the others hold', async () => {
    const { code, reasons, told } = await stoppedNode;
    expect(code, told).toBe(1);
    expect(reasons).toMatch(/every pair delivers after silence: .*node3/);
    expect(reasons).toMatch(/logs converge: .*node3/);
  });

  it('is NO-GO when nobody finds the half-dead link, and when the slow node is still held back from at the end', async () => {
    const { code, reasons, told } = await tooShortATime;
    expect(code, told).toBe(1);
    expect(reasons).toMatch(/half-dead link replaced: .*of node2 and node3 was never closed/);
    expect(reasons).toMatch(/slow peer taken back: .*node\d on 1 topics; \d, limit at most 0/);
  });

  it('is not harmed without leave, by whatever option harms it', async () => {
    const args = [...MESH, '--scenarios', 'baseline,convergence', '--converge-side', 'node3'];
    await using mesh = await MeshproofProcess.start('run', ...args);
    expect(await mesh.exit(BUDGET_MS)).toBe(64);
    expect(mesh.stderr).toMatch(/convergence does harm \(partition\); allow it with --allow-partition/);
    expect(mesh.pids).toEqual([]);
  });
});
