import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { SSH_PORT } from './host-status.ts';
import { fingerprintOf } from './lab-keys.ts';
import type { LabHost, LabPlan } from './lab-plan.ts';
import { proxyCommand } from './proxy-command.ts';

const UDP_PORT = 6_483;
const API_PORT = 13_600;
const RUNNER_PORT = 13_700;

export interface PinnedHost {
  readonly host: LabHost;
  readonly publicKey: string;
}

/** The inventory (`harness/fleet/inventory.ts`) of a lab. Its hosts are reached by a proxy command, as root. */
export function renderInventory(plan: LabPlan, hosts: readonly PinnedHost[]): string {
  const inventory = {
    format: 'meshproof.inventory.v1',
    network: 'test',
    environment: 'lab',
    lab: { dir: plan.dir },
    host: hosts.map(({ host, publicKey }) => ({
      name: host.name,
      region: host.region,
      address: host.address,
      port: SSH_PORT,
      user: 'root',
      key: plan.keyFile,
      host_key: fingerprintOf(publicKey),
      proxy_command: [...proxyCommand(plan)],
      mesh_address: host.address,
      udp_port: UDP_PORT,
      api_port: API_PORT,
      runner_port: RUNNER_PORT,
      roles: ['node'],
    })),
  };
  return `# Written by \`meshproof lab up\`, anew each time. The addresses exist in the lab's namespaces only.\n${stringify(inventory)}`;
}

/** For OpenSSH's own client: `ssh -F DIR/ssh_config lab1`. */
export function renderSshConfig(plan: LabPlan, hosts: readonly PinnedHost[]): string {
  const proxy = proxyCommand(plan).map((arg) => arg.replace('{host}', '%h').replace('{port}', '%p'));
  const stanzas = hosts.map(({ host }) => `Host ${host.name}\n  HostName ${host.address}\n`);
  const all = [
    'Host *',
    '  User root',
    `  IdentityFile ${plan.keyFile}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${join(plan.dir, 'known_hosts')}`,
    '  StrictHostKeyChecking yes',
    `  ProxyCommand ${proxy.join(' ')}`,
  ];
  return `${stanzas.join('')}${all.join('\n')}\n`;
}

/** Writes `inventory.toml`, `ssh_config` and `known_hosts` into the directory of the lab. */
export async function writeInventory(plan: LabPlan, hosts: readonly PinnedHost[]): Promise<void> {
  const known = hosts.map(
    ({ host, publicKey }) => `${host.address} ${publicKey.split(' ').slice(0, 2).join(' ')}`,
  );
  const files = {
    known_hosts: `${known.join('\n').replaceAll('\n\n', '\n')}\n`,
    ssh_config: renderSshConfig(plan, hosts),
    'inventory.toml': renderInventory(plan, hosts),
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(plan.dir, name);
    await writeFile(`${path}.new`, content, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}
