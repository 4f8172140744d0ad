import { expect, it } from 'vitest';
import { ARTIFACT, lookOf, RELEASE, TARGET, VIEW } from './fixture-deployment.ts';
import { judgeContent, judgeRunning } from './judge-host.ts';
import type { NodeView } from './node-view.ts';
import { ownProblems } from './settle.ts';
import { missingLinks } from './verify-mesh.ts';

const RUNNING = {
  target: TARGET,
  machineId: 'a'.repeat(64),
  version: ARTIFACT.digest,
  bootIdBefore: 'old',
};
const EXPECTED = { ...RUNNING, version: null, artifact: ARTIFACT, release: RELEASE };
const running = (look: Parameters<typeof lookOf>[0] = {}, view: NodeView = VIEW) =>
  judgeRunning(RUNNING, lookOf(look), view).map(({ code }) => code);
const content = (look: Parameters<typeof lookOf>[0] = {}, view: NodeView = VIEW) =>
  judgeContent(EXPECTED, lookOf(look), view).map(({ code }) => code);

it('finds nothing on a host that is as it should be', () => {
  expect([...running(), ...content()]).toEqual([]);
});

it('calls a node that says it is healthy without holding its UDP port exactly that', () => {
  const ports = lookOf().ports.filter(({ protocol }) => protocol === 'tcp');
  expect(judgeRunning(RUNNING, lookOf({ ports }), { ...VIEW, peers: ['x', 'y'] })).toEqual([
    {
      host: 'nyc',
      code: 'QUIC_NOT_BOUND',
      message:
        'nyc: its node (pid 10) says that it has joined, healthy with 2 peers, but does not hold UDP port 6483: nobody holds it',
      lasting: true,
    },
  ]);
});

it('calls so one that knows no more of the API than how to say that it is well', () => {
  const ports = lookOf().ports.filter(({ protocol }) => protocol === 'tcp');
  const view = { silent: 'GET /agent: 404', claim: { status: 'healthy', peers: 2 } };
  expect(judgeRunning(RUNNING, lookOf({ ports }), view).map(({ message }) => message)).toEqual([
    expect.stringMatching(/says that it has joined, healthy with 2 peers, but does not hold UDP port 6483/),
    expect.stringMatching(/answers only in part: GET .agent: 404/),
  ]);
});

it('knows what waiting does not mend: a unit that systemd gave up, not one that it is about to start again', () => {
  const lasting = (activeState: string) =>
    judgeRunning(RUNNING, lookOf({ units: { node: { activeState, pid: null } } }), VIEW)[0]?.lasting;
  expect([lasting('failed'), lasting('inactive'), lasting('activating')]).toEqual([true, true, undefined]);
});

it('does not take a port that another process holds for the node', () => {
  const ports = lookOf().ports.map((holder) => ({ ...holder, pid: 99 }));
  expect(running({ ports })).toEqual(['QUIC_NOT_BOUND', 'RUNNER_NOT_LISTENING']);
});

it.each([
  ['UNIT_NOT_ACTIVE', { units: { runner: { activeState: 'failed', result: 'watchdog', pid: null } } }, VIEW],
  ['NODE_SILENT', {}, { silent: 'no answer' }],
  ['NODE_UNHEALTHY', {}, { ...VIEW, status: 'degraded' }],
  ['IDENTITY_CHANGED', {}, { ...VIEW, machineId: 'c'.repeat(64) }],
  ['NOT_RESTARTED', {}, { ...VIEW, bootId: 'old' }],
  ['PROGRAM_DIFFERS', {}, { ...VIEW, pid: 12 }],
  ['PROGRAM_DIFFERS', { units: { runner: { executable: '/opt/meshproof/versions/x/bin/node' } } }, VIEW],
])('finds %s', (code, look, view) => {
  expect(running(look, view)).toEqual([code]);
});

it.each([
  ['PROGRAM_DIFFERS', { units: { node: { executable: '/usr/bin/node' } } }, VIEW],
  ['PROGRAM_DIFFERS', { units: { node: { executableSha256: 'e'.repeat(64) } } }, VIEW],
  ['PROGRAM_DIFFERS', { files: new Map() }, VIEW],
  ['PROGRAM_DIFFERS', {}, { ...VIEW, bundleSha256: null }],
  ['CONFIG_DIFFERS', { digests: new Map([...lookOf().digests, ['/etc/meshproof/node.toml', 'x']]) }, VIEW],
  [
    'UNIT_DIFFERS',
    { digests: new Map([...lookOf().digests, ['/etc/systemd/system/meshproof-node.service', 'x']]) },
    VIEW,
  ],
])('finds %s in what is installed', (code, look, view) => {
  expect(content(look, view)).toEqual([code]);
});

it('names each direction in which a connection is missing, and blames nobody for a broken other end', () => {
  const a = { name: 'a', view: { ...VIEW, machineId: 'a', peers: [] } };
  const b = { name: 'b', view: { ...VIEW, machineId: 'b', peers: ['a'] } };
  const links = missingLinks([a, b]);
  expect(links).toMatchObject([{ host: 'a', peer: 'b', code: 'LINK_MISSING' }]);
  expect(ownProblems('a', links)).toEqual(links);
  expect(ownProblems('a', [...links, { host: 'b', code: 'QUIC_NOT_BOUND', message: '' }])).toEqual([]);
});
