import { describe, expect, it } from 'vitest';
import { MeshproofProcess } from './meshproof-process.ts';

const MESH = ['--local', '4', '--telemetry-secs', '4', '--settle-secs', '10', '--stop-on', 'none'];
const LEAVE = ['--allow-netem', '--allow-partition', '--allow-pause'];
/** Of the slowest of them, on a machine that does other things too. */
const BUDGET_MS = 240_000;
const run = (scenarios: string, ...more: readonly string[]) =>
  MeshproofProcess.start('run', ...MESH, ...LEAVE, '--scenarios', `baseline,${scenarios}`, ...more);

// Mostly waiting, so all at once.
describe.concurrent('a mesh of real nodes that is harmed', { timeout: BUDGET_MS + 30_000 }, () => {
  it('rests a slow node and takes it back; logs written across a partition converge', async () => {
    const slow = ['--netem-window-secs', '20', '--heal-secs', '80'];
    const logs = ['--converge-side', 'node4', '--write-secs', '10'];
    await using mesh = await run('high_rtt_peer,convergence', ...slow, ...logs);
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(0);
    for (const kind of ['shape', 'cut']) {
      await mesh.event('fault_state', (fault) => fault.kind === kind && fault.state === 'bites');
      await mesh.event('fault_state', (fault) => fault.kind === kind && fault.state === 'gone');
    }
  });

  it('takes a paused node back, replaces a half-dead link, and delivers at once after silence', async () => {
    const short = ['--pause-secs', '36', '--idle-secs', '5'];
    await using mesh = await run('asymmetric_reachability,idle_rot,stale_peer', ...short);
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(0);
    // No GO without a fault that bit: what is told of it meanwhile may come before the cut has met traffic.
    for (const wanted of ['pause', 'cut']) {
      await mesh.event('fault_state', ({ kind, state }) => kind === wanted && state === 'gone');
    }
  });

  it('is NO-GO when the slow node is still held back from at the end', async () => {
    await using mesh = await run('high_rtt_peer', '--netem-window-secs', '20', '--heal-secs', '5');
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/slow peer taken back: .*node\d on 1 topics; \d, limit at most 0/);
  });

  it('is INCONCLUSIVE when the node is not slow enough for anybody to hold back', async () => {
    const mild = ['--netem-delay-ms', '60', '--netem-jitter-ms', '5', '--netem-window-secs', '10'];
    await using mesh = await run('high_rtt_peer', ...mild, '--heal-secs', '5');
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(2);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/slow peer held back from: .*60 ms is no delay/);
  });

  it('is NO-GO when the paused node does not live to be resumed', async () => {
    await using mesh = await run('stale_peer', '--pause-secs', '36', '--recover-secs', '5');
    await mesh.event('fault_state', ({ state }) => state === 'bites', BUDGET_MS);
    process.kill(await mesh.pidOf('node4', 'node'), 'SIGKILL');
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/stale peer back: .*node4 did not deliver again/);
  });

  it('is NO-GO when nobody finds the half-dead link', async () => {
    // Three proofs of 8 s at least have to fail first: within 10 s a node is as one that never looks.
    await using mesh = await run('asymmetric_reachability', '--find-secs', '10');
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/half-dead link replaced: .*of node3 and node4 was never closed/);
  });

  it('is NO-GO when a node has rotted in the silence', async () => {
    await using mesh = await run('idle_rot', '--idle-secs', '5');
    await mesh.event('scenario_started', ({ scenario }) => scenario === 'idle_rot', BUDGET_MS);
    process.kill(await mesh.pidOf('node4', 'node'), 'SIGSTOP');
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/every pair delivers after silence: .*node4/);
  });

  it('is NO-GO when the log of a node is not what the others hold', async () => {
    await using mesh = await run('convergence', '--write-secs', '5', '--heal-secs', '5');
    await mesh.event('scenario_started', ({ scenario }) => scenario === 'convergence', BUDGET_MS);
    process.kill(await mesh.pidOf('node4', 'node'), 'SIGSTOP');
    expect(await mesh.exit(BUDGET_MS), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/logs converge: .*node4/);
  });

  it('is not harmed without leave, by whatever option harms it', async () => {
    const args = [...MESH, '--scenarios', 'baseline,convergence', '--converge-side', 'node4'];
    await using mesh = await MeshproofProcess.start('run', ...args);
    expect(await mesh.exit(BUDGET_MS)).toBe(64);
    expect(mesh.stderr).toMatch(/convergence does harm \(partition\); allow it with --allow-partition/);
    expect(mesh.pids).toEqual([]);
  });
});
