import { expect, it } from 'vitest';
import { isActive, parseLook } from './host-look.ts';

const LINES = [
  'machine\tLinux\tx86_64',
  'boot\t0f3c/42',
  'init\tsystemd\tsystemd 252 (252.38-1~deb12u1)',
  'free_bytes\t5000',
  'link\t/opt/meshproof/current\treleases/r2',
  'link\t/etc/meshproof\t/opt/meshproof/current/etc',
  'release\tr2\tv2\t1700000000',
  'version\tv2',
  'unit\tnode\tActiveState\tactive',
  'unit\tnode\tMainPID\t288',
  'unit\trunner\tMainPID\t0',
  'executable\tnode\t/opt/meshproof/versions/v2/bin/node',
  'executable_is\tnode\tv2\tbin/node',
  'port\tudp\t6483\t288\tMainThread\tmeshproof-node.service',
  'port\ttcp\t13600',
  'file\tv2\tabc\tbin/node',
];

it('reads what a host told, and takes what it did not tell as not there', () => {
  const look = parseLook('nyc', [...LINES, 'end'].join('\n'));
  expect(look).toMatchObject({
    systemdVersion: 252,
    freeBytes: 5_000,
    currentRelease: 'r2',
    previousRelease: null,
  });
  expect(look.units.node).toMatchObject({ pid: 288, executableSha256: 'abc', loadState: 'not-found' });
  expect([isActive(look, 'node'), look.units.runner.pid, look.occupied]).toEqual([true, null, []]);
  expect(look.ports).toMatchObject([
    { port: 6_483, pid: 288 },
    { port: 13_600, pid: null, process: null },
  ]);
});

it('does not believe what was cut short', () => {
  expect(() => parseLook('nyc', LINES.join('\n'))).toThrow(
    expect.objectContaining({ code: 'DEPLOY_LOOK_UNREADABLE' }),
  );
});

it('knows no systemd where process 1 is another, and calls a foreign /etc/meshproof occupied', () => {
  const look = parseLook('nyc', 'init\tbusybox\tsystemd 252\nlink\t/etc/meshproof\t/elsewhere\nend');
  expect([look.systemdVersion, look.occupied]).toEqual([null, ['/etc/meshproof']]);
});

it.each([
  ['running', false],
  ['degraded', false],
  ['stopping', true],
  ['offline', true],
  ['', true],
])('takes a machine whose systemd says %j for one that goes down: %s', (state, isShuttingDown) => {
  const init = `init\tsystemd\tsystemd 252\t${state}`;
  expect(parseLook('nyc', [init, 'end'].join('\n')).isShuttingDown).toBe(isShuttingDown);
});
