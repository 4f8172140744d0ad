import { describe, expect, it } from 'vitest';
import { MeshproofProcess } from '../meshproof-process.ts';

const MESH = ['--local', '4', '--telemetry-secs', '2', '--settle-secs', '10'];
const PARTITION = [
  ...['--scenarios', 'baseline,partition_recovery', '--partition-side', 'node4', '--allow-partition'],
  ...['--block-secs', '5', '--heal-secs', '5'],
];
/** A round of telemetry that outlives a moment in which the machine stands still: one that is lost is no GO. */
const PATIENT = ['--telemetry-secs', '10'];
const STORM = ['--scenarios', 'baseline,restart_storm', '--allow-restart-storm'];

describe.concurrent('a run that does harm', () => {
  it('on a good mesh is a GO: restarts and a partition, felt and gone', async () => {
    const both = ['--scenarios', 'baseline,restart_storm,partition_recovery', '--allow-restart-storm'];
    const args = [...PARTITION, ...both, ...PATIENT, '--heal-secs', '40', '--stop-on', 'none'];
    await using run = await MeshproofProcess.start('run', ...MESH, ...args);
    expect(await run.exit(), run.told()).toBe(0);
    for (const kind of ['restart', 'cut']) {
      await run.event('fault_state', (fault) => fault.kind === kind && fault.state === 'gone');
    }
    await run.event('fault_state', ({ kind, state }) => kind === 'cut' && state === 'bites');
  });

  it('is NO-GO when a node does not survive the cut', async () => {
    await using run = await MeshproofProcess.start('run', ...MESH, ...PARTITION, '--stop-on', 'none');
    await run.event('fault_state', ({ state }) => state === 'bites');
    process.kill(await run.pidOf('node4', 'node'), 'SIGKILL');
    expect(await run.exit(), run.told()).toBe(1);
    const { reasons } = await run.event('judged');
    expect(reasons.join('\n')).toMatch(/logs equal after a partition: .*node4/);
    await run.event('fault_state', ({ kind, state }) => kind === 'cut' && state === 'gone');
  });

  it('heals at once when it is interrupted in the middle of a cut', async () => {
    await using run = await MeshproofProcess.start('run', ...MESH, ...PARTITION, '--stop-on', 'none');
    await run.event('fault_state', ({ state }) => state === 'bites');
    run.child.kill('SIGINT');
    expect(await run.exit(), run.told()).toBe(4);
    await run.event('fault_state', ({ state }) => state === 'gone');
  });

  it('is NO-GO when a restarted node does not stay up', async () => {
    const storm = [...STORM, '--recover-secs', '3', '--stop-on', 'none'];
    await using run = await MeshproofProcess.start('run', ...MESH, ...storm);
    await run.event('fault_state', ({ state }) => state === 'applied');
    const ofNode2 = run.events.flatMap((event) =>
      event.event === 'process_started' && event.node === 'node2' && event.role === 'node' ? [event.pid] : [],
    );
    const pid = ofNode2.at(-1);
    if (pid === undefined || ofNode2.length !== 2)
      throw new Error(`node2 was started as ${ofNode2.join(', ')}`);
    process.kill(pid, 'SIGKILL');
    expect(await run.exit(), run.told()).toBe(1);
    const { reasons } = await run.event('judged');
    expect(reasons.join('\n')).toMatch(/restarted nodes recover: node2: never recovered/);
  });

  it('ends by the stop condition that it stated, healed first', async () => {
    await using run = await MeshproofProcess.start('run', ...MESH, ...PARTITION, '--stop-on', 'lost-node');
    await run.event('fault_state', ({ state }) => state === 'bites');
    process.kill(await run.pidOf('node2', 'node'), 'SIGKILL');
    expect(await run.exit(), run.told()).toBe(3);
    await run.event('fault_state', ({ state }) => state === 'gone');
    await run.event('stopped', ({ condition, why }) => condition === 'lost-node' && why.includes('node2'));
  });

  it('to half of the mesh is refused before anything is started', async () => {
    const storm = [...STORM, '--restart-count', '2', '--stop-on', 'none'];
    await using run = await MeshproofProcess.start('run', ...MESH, ...storm);
    expect(await run.exit()).toBe(64);
    expect(run.stderr).toMatch(/--waive-third/);
    expect(run.pids).toEqual([]);
  });
});
