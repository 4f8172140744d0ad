import { expect, test } from 'vitest';
import { missing, seen } from '../../../proofs/observation.ts';
import { GATHERED, gatheredWith } from './fixture-gathered.ts';
import { readGathered } from './read-gathered.ts';

test('a recorded look is read whole', () => {
  expect(readGathered(GATHERED)).toEqual({
    architecture: seen('x86_64'),
    kernel: seen('6.18.44'),
    isRoot: seen(true),
    uptimeSecs: seen(expect.closeTo(13487.4 - 12476.01, 6)),
    processors: seen(2),
    loadOneMinute: seen(0.17),
    memoryTotalBytes: seen(24684096 * 1024),
    memoryAvailableBytes: seen(22036300 * 1024),
    disks: seen([
      { path: '/', freeBytes: 80728096 * 1024 },
      { path: '/var/lib', freeBytes: 1024 ** 3 },
    ]),
    systemdVersion: seen(252),
    systemState: seen('running'),
    clockSynchronized: seen(true),
    nodeUpSecs: seen(expect.closeTo(120, 6)),
    nft: seen(true),
    prio: seen(true),
    netem: missing('absent', 'Error: Specified qdisc kind is unknown.'),
    busy: seen([{ pid: 300, name: 'a (daemon) x', processorPercent: 45 }]),
    ports: seen([
      { protocol: 'udp', port: 5483, pid: 200, name: 'node', isOurs: true },
      { protocol: 'tcp', port: 12700, pid: 300, name: 'a (daemon) x', isOurs: false },
    ]),
  });
});

test.each([
  ['kernel', 'architecture'],
  ['user', 'isRoot'],
  ['uptime', 'uptimeSecs'],
  ['load', 'loadOneMinute'],
  ['load', 'processors'],
  ['memory', 'memoryAvailableBytes'],
  ['disk', 'disks'],
  ['systemd', 'systemdVersion'],
  ['clock', 'clockSynchronized'],
  ['node', 'nodeUpSecs'],
  ['nft', 'nft'],
  ['processes_after', 'busy'],
  ['udp', 'ports'],
  ['tcp', 'ports'],
] as const)('a complaint in place of %s is no %s', (section, fact) => {
  const facts = readGathered(gatheredWith(section, 'sh: 1: not found'));
  expect(facts[fact]).toHaveProperty('missing');
});

test('nothing at all is nothing seen', () => {
  for (const fact of Object.values(readGathered(''))) expect(fact).toHaveProperty('missing');
});

test('a node that does not run has no age', () => {
  const text = 'ActiveState=failed\nActiveEnterTimestampMonotonic=5';
  expect(readGathered(GATHERED.replace(/ActiveState=[^=]*=\d+/, text)).nodeUpSecs).toEqual(
    missing('absent', "the node's unit is failed"),
  );
});
