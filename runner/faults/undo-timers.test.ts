import { expect, it } from 'vitest';
import { leaseOfUndoUnit, undoUnitOf, undoUnitsOf } from './names.ts';
import { armArgv, timersIn } from './undo-timers.ts';

const KEY = { run_id: '20261121T120000Z-abc123', lease_id: 'f1_0' };

it('arms a transient timer that is accurate, leaves nothing behind and runs a plain command', () => {
  const step = { argv: ['systemctl', 'kill', '--signal=SIGCONT', 'node.service'], env: { A: 'b' } } as const;
  expect(armArgv(undoUnitOf(KEY, 'abcd', 0), step, 15_000)).toEqual([
    'systemd-run',
    '--quiet',
    '--collect',
    '--unit=meshproof-undo:20261121T120000Z-abc123:f1_0:abcd-0',
    '--description=ends a fault of meshproof',
    '--on-active=15000ms',
    '--timer-property=AccuracySec=100ms',
    '--setenv=A=b',
    '--',
    'systemctl',
    'kill',
    '--signal=SIGCONT',
    'node.service',
  ]);
});

it('reads timers from the list of units, with the leases in their names', () => {
  const listing =
    'meshproof-undo:run-1:f1_0:abcd-0.timer loaded active waiting ends a fault of meshproof\n' +
    'meshproof-undo:old.timer loaded active waiting of another version\n';
  expect(timersIn(listing)).toEqual([
    { unit: 'meshproof-undo:run-1:f1_0:abcd-0.timer', lease: { run_id: 'run-1', lease_id: 'f1_0' } },
    { unit: 'meshproof-undo:old.timer', lease: null },
  ]);
  expect(timersIn('')).toEqual([]);
});

it('names the units of one lease so that those of no other begin alike', () => {
  const longer = undoUnitOf({ ...KEY, lease_id: 'f1_0.1' }, 'abcd', 0);
  expect(longer.startsWith(undoUnitsOf(KEY))).toBe(false);
  expect(leaseOfUndoUnit(`${undoUnitOf(KEY, 'abcd', 3)}.timer`)).toEqual(KEY);
});
