import { stringify } from 'smol-toml';
import { sha256Hex } from '../../kit/hash.ts';
import { DEPLOYED_PATHS, type DeployTarget, meshEndpoint } from '../fleet/deployed-host.ts';

/** What one host is to run: an artifact with its configuration. Equal content has equal ids. */
export interface Release {
  /** 64 hex characters. */
  readonly id: string;
  /** Digest of the artifact. */
  readonly version: string;
  readonly nodeToml: string;
  readonly runnerToml: string;
}

export interface ReleaseOptions {
  readonly target: DeployTarget;
  /** The others of the mesh. */
  readonly others: readonly DeployTarget[];
  readonly networkId: string;
  /** Base64 public keys whose signed commands the runner obeys. */
  readonly operatorKeys: readonly string[];
  /** Digest of the artifact. */
  readonly version: string;
}

const MOST_KNOWN_PEERS = 256; // what a node takes; it learns of the others from them
const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;

/** The release of one host, from the inventory alone: the same inventory gives the same bytes. */
export function renderRelease({ target, others, networkId, operatorKeys, version }: ReleaseOptions): Release {
  const nodeToml = configText({
    instance_name: target.name,
    network_id: networkId,
    // All addresses of the family: behind a provider's address translation the mesh address is not the host's own.
    bind_address: IPV4.test(target.meshAddress) ? `0.0.0.0:${target.udpPort}` : `[::]:${target.udpPort}`,
    api_address: `127.0.0.1:${target.apiPort}`,
    data_dir: DEPLOYED_PATHS.nodeState,
    known_peers: others.map(meshEndpoint).slice(0, MOST_KNOWN_PEERS),
    log_level: 'info',
  });
  const runnerToml = configText({
    node_name: target.name,
    api_base: `http://127.0.0.1:${target.apiPort}`,
    api_token_path: DEPLOYED_PATHS.runnerApiToken,
    control_address: `127.0.0.1:${target.runnerPort}`,
    control_token_path: DEPLOYED_PATHS.controlToken,
    operator_keys: [...operatorKeys],
    data_dir: DEPLOYED_PATHS.runnerState,
    log_level: 'info',
  });
  return releaseOf({ version, nodeToml, runnerToml });
}

/** The release of given content. */
export function releaseOf(content: Omit<Release, 'id'>): Release {
  const { version, nodeToml, runnerToml } = content;
  const id = sha256Hex([version, sha256Hex(nodeToml), sha256Hex(runnerToml)].join('\n'));
  return { ...content, id };
}

function configText(values: Record<string, string | readonly string[]>): string {
  return `# Written by meshproof from its inventory; changes made here are found and replaced by the next deploy.\n${stringify(values)}\n`;
}
