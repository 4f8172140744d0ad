import { expect, test } from 'vitest';
import { missing, type Observation, seen } from '../../../proofs/observation.ts';
import type { ClockOffset } from './clock-offset.ts';
import { GATHERED } from './fixture-gathered.ts';
import { judgeFacts } from './judge-facts.ts';
import { type HostFacts, readGathered } from './read-gathered.ts';

const PORTS = { udpPort: 5483, apiPort: 12_701, runnerPort: 12_702 };
const GIB = 1024 ** 3;
const quiet: HostFacts = {
  ...readGathered(GATHERED),
  netem: seen(true),
  busy: seen([]),
  disks: seen([{ path: '/', freeBytes: 50 * GIB }]),
  uptimeSecs: seen(86_400),
  nodeUpSecs: seen(7_200),
};
const inTime: Observation<ClockOffset> = seen({ offsetMs: 3, uncertaintyMs: 20 });

const judge = (facts: Partial<HostFacts> = {}, offset = inTime, ports = PORTS) =>
  judgeFacts(ports, { ...quiet, ...facts }, offset);

test('a quiet host is well in every respect', () => {
  expect(judge().filter(({ status }) => status !== 'ok')).toEqual([]);
});

const offset = (offsetMs: number, uncertaintyMs: number) => seen({ offsetMs, uncertaintyMs });
const gone = missing('unreadable', 'not seen');
test.each<[string, string, 'warn' | 'fail', Partial<HostFacts>, Observation<ClockOffset>?]>([
  ['not root', 'root', 'fail', { isRoot: seen(false) }],
  ['another architecture', 'platform', 'fail', { architecture: seen('mips') }],
  ['an old systemd', 'systemd', 'fail', { systemdVersion: seen(232) }],
  ['no systemd running', 'systemd', 'fail', { systemState: seen('offline') }],
  ['failed units', 'systemd', 'warn', { systemState: seen('degraded') }],
  ['a clock half a second off', 'clock', 'fail', {}, offset(-620, 30)],
  ['a clock that may be half a second off', 'clock', 'warn', {}, offset(490, 30)],
  ['a clock that cannot be read', 'clock', 'fail', {}, gone],
  ['a clock that nothing keeps', 'sync', 'warn', { clockSynchronized: seen(false) }],
  ['a full disk', 'disk', 'fail', { disks: seen([{ path: '/opt', freeBytes: GIB / 2 }]) }],
  ['a nearly full disk', 'disk', 'warn', { disks: seen([{ path: '/opt', freeBytes: 2 * GIB }]) }],
  ['a disk that was not seen', 'disk', 'fail', { disks: gone }],
  ['little memory', 'memory', 'fail', { memoryAvailableBytes: seen(GIB / 8) }],
  ['a long queue for the processors', 'load', 'warn', { loadOneMinute: seen(1.9) }],
  ['a greedy neighbour', 'load', 'warn', { busy: seen([{ pid: 9, name: 'miner', processorPercent: 45 }]) }],
  ['neighbours that were not seen', 'load', 'fail', { busy: gone }],
  ['no nft', 'nft', 'fail', { nft: missing('absent', 'nft: not found') }],
  ['no prio', 'netem', 'warn', { prio: missing('absent', 'qdisc kind is unknown') }],
  ['no netem', 'netem', 'warn', { netem: missing('absent', 'qdisc kind is unknown') }],
  ['a fresh boot', 'uptime', 'warn', { uptimeSecs: seen(60) }],
  ['a fresh node', 'uptime', 'warn', { nodeUpSecs: seen(60) }],
])('%s shows in the check "%s" as %s, and nowhere else', (_what, name, status, facts, clock = inTime) => {
  const bad = judge(facts, clock).filter((check) => check.status !== 'ok');
  expect(bad).toMatchObject([{ check: name, status }]);
});

test('a port is free, ours, or taken by somebody with a name', () => {
  const said = (ports: typeof PORTS, facts: Partial<HostFacts> = {}) =>
    judge(facts, inTime, ports).find(({ check }) => check === 'ports');
  expect(said(PORTS)).toMatchObject({ status: 'ok', said: 'udp 5483 ours, tcp 12701 free, tcp 12702 free' });
  expect(said({ ...PORTS, apiPort: 12_700 })).toMatchObject({
    status: 'fail',
    said: 'tcp 12700 taken by a (daemon) x (pid 300)',
  });
  const hidden = { protocol: 'udp', port: 5483, pid: null, name: null, isOurs: false } as const;
  expect(said(PORTS, { ports: seen([hidden]) })).toMatchObject({
    status: 'fail',
    said: expect.stringContaining('an unknown process'),
  });
});
