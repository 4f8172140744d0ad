import { describe, expect, it } from 'vitest';
import { planHost } from './deploy-plan.ts';
import { ARTIFACT, lookOf, RELEASE, TARGET } from './fixture-deployment.ts';

const plan = (look: Parameters<typeof lookOf>[0] = {}) =>
  planHost({ target: TARGET, look: lookOf(look), artifact: ARTIFACT, release: RELEASE });
const codes = (look: Parameters<typeof lookOf>[0]) => plan(look).refusals.map(({ code }) => code);
const BARE = { currentRelease: null, releases: [], versions: [], files: new Map(), digests: new Map() };
const UNITS = ['units/meshproof-node.service', 'units/meshproof-runner.service'];
const OLD = 'd'.repeat(64);

describe('the plan of one host', () => {
  it('has nothing to do where everything is in place and runs', () => {
    expect(plan()).toMatchObject({ change: 'none', steps: [], refusals: [] });
  });

  it('sends everything to a bare host, writes its release, and makes it current', () => {
    const { change, steps } = plan(BARE);
    expect(change).toBe('install');
    expect(steps.map((step) => step.do)).toEqual(['install_version', 'write_release', 'activate']);
    expect(steps[0]).toMatchObject({
      upload: ['manifest.json', 'bin/node', 'node.js', ...UNITS],
      reuseFrom: null,
    });
  });

  it('sends only what no version on the host has', () => {
    const files = new Map([[OLD, new Map([['bin/node', ARTIFACT.manifest.files[0]?.sha256 ?? '']])]]);
    const old = { id: 'e'.repeat(64), version: OLD, installedAtSecs: 1 };
    const { change, steps } = plan({ files, versions: [OLD], releases: [old], currentRelease: old.id });
    expect(change).toBe('upgrade');
    expect(steps[0]).toMatchObject({
      do: 'install_version',
      upload: ['manifest.json', 'node.js', ...UNITS],
      reuseFrom: OLD,
    });
  });

  it('mends a file that is damaged on the host', () => {
    const whole = lookOf().files.get(ARTIFACT.digest) ?? new Map<string, string>();
    const files = new Map([[ARTIFACT.digest, new Map([...whole, ['node.js', 'f'.repeat(64)]])]]);
    expect(plan({ files }).steps[0]).toMatchObject({ do: 'install_version', upload: ['node.js'] });
  });

  it.each([
    ['a changed configuration file', { digests: new Map() }],
    ['a process of another version', { units: { node: { executable: '/usr/bin/node' } } }],
    ['a unit that would not start at boot', { units: { runner: { isEnabled: false } } }],
  ])('writes its release anew and activates it for %s', (_, look) => {
    expect(plan(look).steps).toEqual([{ do: 'write_release' }, { do: 'activate' }]);
  });

  it('only starts what is in place and does not run', () => {
    const stopped = { activeState: 'inactive', pid: null, executable: null };
    expect(plan({ units: { node: stopped, runner: stopped } })).toMatchObject({
      change: 'start',
      steps: [{ do: 'start' }],
    });
  });

  it('keeps the current, the previous and the latest releases, three in all', () => {
    const others = [1, 2, 3, 4].map((n) => ({ id: String(n).repeat(64), version: OLD, installedAtSecs: n }));
    const releases = [...lookOf().releases, ...others];
    const versions = [ARTIFACT.digest, OLD, 'unused'];
    expect(plan({ releases, versions, previousRelease: '1'.repeat(64) }).steps).toEqual([
      { do: 'prune', releases: ['2'.repeat(64), '3'.repeat(64)], versions: ['unused'] },
    ]);
  });
});

describe('a host is refused', () => {
  it.each([
    ['DEPLOY_WRONG_MACHINE', { machine: 'aarch64' }],
    ['DEPLOY_WRONG_MACHINE', { system: 'Darwin' }],
    ['DEPLOY_NO_SYSTEMD', { systemdVersion: null }],
    ['DEPLOY_NO_SYSTEMD', { systemdVersion: 241 }],
    ['DEPLOY_TOOL_MISSING', { missingTools: ['tar'] }],
    ['DEPLOY_PATH_OCCUPIED', { occupied: ['/etc/meshproof'] }],
    ['DEPLOY_DISK_FULL', { ...BARE, freeBytes: 1_000 }],
  ])('with %s for %j', (code, look) => {
    expect(codes(look)).toEqual([code]);
  });

  it('for a port that a foreign process holds, naming it', () => {
    const foreign = {
      protocol: 'udp' as const,
      port: 6_483,
      pid: 77,
      process: 'squatter',
      unit: 'other.service',
    };
    expect(plan({ ports: [foreign] }).refusals).toMatchObject([
      { code: 'DEPLOY_PORT_TAKEN', message: 'nyc: udp port 6483 is held by squatter (pid 77)' },
    ]);
  });

  it('not for ports that its own units hold, nor for a disk that is full while nothing is to be sent', () => {
    expect(codes({ freeBytes: 0 })).toEqual([]);
  });

  it('for a port below 1024, which the user of the node may not bind', () => {
    const target = { ...TARGET, udpPort: 443 };
    const { refusals } = planHost({ target, look: lookOf(), artifact: ARTIFACT, release: RELEASE });
    expect(refusals.map(({ code }) => code)).toEqual(['DEPLOY_PORT_PRIVILEGED']);
  });
});
