import { expect, test } from 'vitest';
import { missing, seen } from '../../../proofs/observation.ts';
import { GATHERED } from './fixture-gathered.ts';
import { judgeFacts } from './judge-facts.ts';
import { type HostPreflight, worstOf } from './preflight.ts';
import { readGathered } from './read-gathered.ts';
import { preflightTable } from './table.ts';

const clockOffset = seen({ offsetMs: 0.84, uncertaintyMs: 11.2 });
const seenHost = (name: string): HostPreflight => {
  const facts = readGathered(GATHERED);
  const checks = judgeFacts({ udpPort: 5483, apiPort: 1, runnerPort: 2 }, facts, clockOffset);
  return {
    name,
    region: 'ams',
    ssh: 'root@192.0.2.1:22',
    status: worstOf(checks),
    checks,
    facts,
    clockOffset,
  };
};
const lost: HostPreflight = {
  name: 'a-longer-name',
  region: null,
  ssh: 'root@192.0.2.9:22',
  status: 'fail',
  checks: [{ check: 'reach', status: 'fail', said: 'sshd does not\n let root in' }],
  facts: null,
  clockOffset: missing('unreadable', 'the host was not reached'),
};

test('hosts stand in aligned rows, and what they share is said once below', () => {
  expect(preflightTable([...['a', 'b', 'c', 'd', 'e'].map(seenHost), lost], 'off')).toBe(`\
HOST           REGION  STATUS  CLOCK           DISK     MEMORY    LOAD  UP
a              ams     warn    +0.8 ± 11.2 ms  1.0 GiB  21.0 GiB  0.17  17 min
b              ams     warn    +0.8 ± 11.2 ms  1.0 GiB  21.0 GiB  0.17  17 min
c              ams     warn    +0.8 ± 11.2 ms  1.0 GiB  21.0 GiB  0.17  17 min
d              ams     warn    +0.8 ± 11.2 ms  1.0 GiB  21.0 GiB  0.17  17 min
e              ams     warn    +0.8 ± 11.2 ms  1.0 GiB  21.0 GiB  0.17  17 min
a-longer-name  –       FAIL    –               –        –         –     –

FAIL  reach   a-longer-name          sshd does not let root in
warn  disk    a, b, c, d and 1 more  1.0 GiB free on /var/lib: 3.0 GiB would be better
warn  load    a, b, c, d and 1 more  0.17 on 2 CPUs; a (daemon) x takes 45 %
warn  netem   a, b, c, d and 1 more  no delay, loss or rate faults here: Error: Specified qdisc kind is unknown.
warn  uptime  a, b, c, d and 1 more  up 17 min, node 2 min: not settled yet

6 hosts: 0 ok, 5 with warnings, 1 failed
`);
});

test('colour changes nothing but colour', () => {
  const coloured = preflightTable([seenHost('a'), lost], 'on');
  expect(coloured).toContain('\x1b[31mFAIL\x1b[39m');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour is made of them
  expect(coloured.replaceAll(/\x1b\[\d+m/g, '')).toBe(preflightTable([seenHost('a'), lost], 'off'));
});
