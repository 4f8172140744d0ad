import { sha256Hex } from '../../kit/hash.ts';
import { DEPLOYED_PATHS, DEPLOYED_UNITS, type DeployTarget } from '../fleet/deployed-host.ts';
import { writeManifest } from './artifact-manifest.ts';
import type { HostLook, UnitLook } from './host-look.ts';
import type { NodeView } from './node-view.ts';
import { renderRelease } from './release.ts';

/** For tests: a deployment that is as it should be, and ways to look at it that are not. */
export const TARGET: DeployTarget = {
  name: 'nyc',
  meshAddress: '192.0.2.1',
  udpPort: 6_483,
  apiPort: 13_600,
  runnerPort: 13_700,
};

const file = (path: string, mode: 0o644 | 0o755, size = 1_000_000) => ({
  path,
  sha256: sha256Hex(path),
  size,
  mode,
});
const manifest = {
  format: 'meshproof.artifact.v1' as const,
  version: '1.0.0',
  platform: 'linux-x64' as const,
  node_version: '24.0.0',
  bundle_sha256: sha256Hex('bundle'),
  files: [
    file('bin/node', 0o755, 120_000_000),
    file('node.js', 0o644),
    ...Object.values(DEPLOYED_UNITS).map((unit) => file(`units/${unit}`, 0o644)),
  ],
};
const { text: manifestText, digest } = writeManifest(manifest);
export const ARTIFACT = { digest, manifest, manifestText };

export const RELEASE = renderRelease({
  target: TARGET,
  others: [{ ...TARGET, name: 'sfo', meshAddress: '2001:db8::2' }],
  networkId: 'test',
  operatorKeys: ['key'],
  version: digest,
});

const unit = (pid: number): UnitLook => ({
  loadState: 'loaded',
  activeState: 'active',
  subState: 'running',
  result: 'success',
  restarts: 0,
  isEnabled: true,
  pid,
  executable: `${DEPLOYED_PATHS.versions}/${digest}/bin/node`,
  executableSha256: sha256Hex('bin/node'),
});

type Changes = Partial<Omit<HostLook, 'units'>> & {
  readonly units?: { readonly node?: Partial<UnitLook>; readonly runner?: Partial<UnitLook> };
};

export function lookOf({ units, ...changes }: Changes = {}): HostLook {
  return {
    system: 'Linux',
    machine: 'x86_64',
    bootId: 'boot',
    init: 'systemd',
    systemdVersion: 252,
    isShuttingDown: false,
    missingTools: [],
    freeBytes: 1e10,
    currentRelease: RELEASE.id,
    previousRelease: null,
    occupied: [],
    machineId: 'a'.repeat(64),
    releases: [{ id: RELEASE.id, version: digest, installedAtSecs: 100 }],
    versions: [digest],
    ports: [
      { protocol: 'udp', port: 6_483, pid: 10, process: 'node', unit: DEPLOYED_UNITS.node },
      { protocol: 'tcp', port: 13_700, pid: 11, process: 'node', unit: DEPLOYED_UNITS.runner },
    ],
    digests: new Map([
      [`${DEPLOYED_PATHS.config}/node.toml`, sha256Hex(RELEASE.nodeToml)],
      [`${DEPLOYED_PATHS.config}/runner.toml`, sha256Hex(RELEASE.runnerToml)],
      ...Object.values(DEPLOYED_UNITS).map((name): [string, string] => [
        `${DEPLOYED_PATHS.units}/${name}`,
        sha256Hex(`units/${name}`),
      ]),
    ]),
    files: new Map([
      [
        digest,
        new Map([
          ['manifest.json', digest],
          ...manifest.files.map(({ path, sha256 }): [string, string] => [path, sha256]),
        ]),
      ],
    ]),
    ...changes,
    units: { node: { ...unit(10), ...units?.node }, runner: { ...unit(11), ...units?.runner } },
  };
}

export const VIEW: Exclude<NodeView, { readonly silent: string }> = {
  status: 'healthy',
  why: null,
  version: '1.0.0',
  uptimeSecs: 5,
  bootId: 'new',
  machineId: 'a'.repeat(64),
  agentId: 'b'.repeat(64),
  pid: 10,
  bundleSha256: manifest.bundle_sha256,
  peers: [],
};
