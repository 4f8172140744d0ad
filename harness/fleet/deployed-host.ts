import type { InventoryHost } from './inventory.ts';

/**
 * What a deployment leaves on a host: where it lies, what runs it, and as whom. The one place that knows; it does not
 * know how the host is reached.
 *
 * ```
 * /opt/meshproof/versions/<artifact digest>/   the files of an artifact, never changed once they are there
 * /opt/meshproof/releases/<release id>/        program → ../../versions/<digest>, etc/node.toml, etc/runner.toml
 * /opt/meshproof/current, previous             → releases/<release id>
 * /etc/meshproof                               → /opt/meshproof/current/etc
 * ```
 * So programs and configuration change together, by one rename.
 */
const HOME = '/opt/meshproof';

export const DEPLOYED_PATHS = {
  home: HOME,
  versions: `${HOME}/versions`,
  releases: `${HOME}/releases`,
  /** Uploads under way. */
  incoming: `${HOME}/incoming`,
  current: `${HOME}/current`,
  previous: `${HOME}/previous`,
  /** The machine id that the first verified deployment found: a later node must still be that machine. */
  identity: `${HOME}/machine-id`,
  program: `${HOME}/current/program`,
  nodeBinary: `${HOME}/current/program/bin/node`,
  faultProgram: `${HOME}/current/program/faults.js`,
  config: '/etc/meshproof',
  units: '/etc/systemd/system',
  nodeState: '/var/lib/meshproof-node',
  runnerState: '/var/lib/meshproof-runner',
  /** Bearer token of the node's API; readable by the node's user and root. */
  apiToken: '/var/lib/meshproof-node/api-token',
  /** Bearer token of the runner's control endpoint; readable by the runner's user and root. */
  controlToken: '/var/lib/meshproof-runner/control-token',
  /** Where systemd puts the API token for the runner, which may not read the node's directory. */
  runnerApiToken: '/run/credentials/meshproof-runner.service/api-token',
  /**
   * Held while a deployment is under way. Both locks are directories that every systemd has: nobody need make or remove
   * a file while another waits for it, and nobody else can put one of that name there first.
   */
  lock: '/etc/systemd/system',
  /** Held by each single step that changes the host, for as long as any of its processes lives. */
  stepLock: '/run/systemd/system',
} as const;

export const DEPLOYED_ROLES = ['node', 'runner'] as const;
export type DeployedRole = (typeof DEPLOYED_ROLES)[number];

/** systemd units by role. */
export const DEPLOYED_UNITS = {
  node: 'meshproof-node.service',
  runner: 'meshproof-runner.service',
} as const satisfies Record<DeployedRole, string>;

/** System users by role; each has a group of the same name. */
export const DEPLOYED_USERS = {
  node: 'meshproof-node',
  runner: 'meshproof-runner',
} as const satisfies Record<DeployedRole, string>;

/** The part of an inventory's host that a deployment needs. */
export type DeployTarget = Pick<InventoryHost, 'name' | 'meshAddress' | 'udpPort' | 'apiPort' | 'runnerPort'>;

/** `host:port` that peers dial, IPv6 in brackets. */
export function meshEndpoint({
  meshAddress,
  udpPort,
}: Pick<DeployTarget, 'meshAddress' | 'udpPort'>): string {
  return meshAddress.includes(':') ? `[${meshAddress}]:${udpPort}` : `${meshAddress}:${udpPort}`;
}
