import { expect, it } from 'vitest';
import { readProcessLetter, readUnitState, timeSpanUsec } from './unit-state.ts';

async function stateOf(shown: string, letter: string | null) {
  const run = async () => ({ code: 0, stdout: shown, stderr: '' });
  return await readUnitState('node.service', { run, readLetter: async () => letter });
}

const RUNNING = 'LoadState=loaded\nActiveState=active\nMainPID=812\nExecMainStartTimestampMonotonic=90210\n';

it.each([
  ['running', RUNNING, 'S', 812],
  ['running', RUNNING, 'D', 812],
  ['paused', RUNNING, 'T', 812],
  ['stopped', RUNNING, null, null],
  ['stopped', RUNNING, 'Z', 812],
  ['stopped', 'LoadState=loaded\nActiveState=failed\nMainPID=0\n', null, null],
  ['gone', 'LoadState=not-found\nActiveState=inactive\nMainPID=0\n', null, null],
])('is %s by what systemd and the process itself say', async (state, shown, letter, pid) => {
  expect(await stateOf(shown, letter)).toMatchObject({ state, pid });
});

it('tells the services that are stopped along with it, once each', async () => {
  const shown = `${RUNNING}WatchdogUSec=1min 30s\nRequiredBy=runner.service multi-user.target\nBoundBy=runner.service\n`;
  expect(await stateOf(shown, 'S')).toMatchObject({
    dependents: ['runner.service'],
    watchdogUsec: 90_000_000,
    startedUsec: 90_210,
  });
});

it.each([
  ['0', null],
  ['infinity', null],
  ['30s', 30_000_000],
  ['1min 30s', 90_000_000],
  ['1.500s', 1_500_000],
  ['250ms', 250_000],
  ['1d', 86_400_000_000],
])('reads the time span %s', (text, usec) => {
  expect(timeSpanUsec(text)).toBe(usec);
});

it('reads the state of a real process, and null for one that is not there', async () => {
  expect(await readProcessLetter(process.pid)).toMatch(/^[RSD]$/);
  expect(await readProcessLetter(2 ** 22 + 1)).toBeNull();
});
