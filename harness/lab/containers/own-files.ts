import { createHash } from 'node:crypto';
import type { OwnFile } from './disk-plan.ts';
import type { LabHost, LabPlan } from './lab-plan.ts';

const PRIVATE = 0o600;
const PUBLIC = 0o644;

export interface HostKeys {
  readonly privateKey: string;
  readonly publicKey: string;
}

const SSHD_CONFIG = `# Written by \`meshproof lab up\`.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
Subsystem sftp internal-sftp
`;

const JOURNALD_CONFIG = `[Journal]
Storage=persistent
SystemMaxUse=64M
`;

/** What tells one host from another, and what makes it a server that is reached by SSH and does nothing else. */
export function ownFiles(
  plan: LabPlan,
  host: LabHost,
  { privateKey, publicKey }: HostKeys,
  authorizedKey: string,
  sshUnit: string,
): readonly OwnFile[] {
  const wants = '/etc/systemd/system/multi-user.target.wants';
  const neighbours = plan.hosts.map(
    ({ name, address, address6 }) => `${address} ${name}\n${address6} ${name}\n`,
  );
  return [
    { path: '/etc/hostname', content: `${host.name}\n`, mode: PUBLIC },
    {
      path: '/etc/hosts',
      content: `127.0.0.1 localhost\n::1 localhost\n${neighbours.join('')}`,
      mode: PUBLIC,
    },
    { path: '/etc/machine-id', content: `${machineId(host)}\n`, mode: 0o444 },
    { path: '/etc/resolv.conf', content: '# a lab has no name server\n', mode: PUBLIC },
    { path: '/etc/ssh/ssh_host_ed25519_key', content: privateKey, mode: PRIVATE },
    { path: '/etc/ssh/ssh_host_ed25519_key.pub', content: publicKey, mode: PUBLIC },
    { path: '/etc/ssh/sshd_config', content: SSHD_CONFIG, mode: PUBLIC },
    { path: '/etc/systemd/journald.conf.d/lab.conf', content: JOURNALD_CONFIG, mode: PUBLIC },
    { path: '/etc/systemd/system/default.target', target: '/lib/systemd/system/multi-user.target' },
    { path: `${wants}/${sshUnit}`, target: `/lib/systemd/system/${sshUnit}` },
    // A terminal that nobody sits at.
    { path: '/etc/systemd/system/console-getty.service', target: '/dev/null' },
    { path: '/root/.ssh/authorized_keys', content: authorizedKey, mode: PRIVATE },
  ];
}

/** The same for the same host of the same lab, as for a machine that is switched off and on. */
function machineId({ machine }: LabHost): string {
  return createHash('sha256').update(machine).digest('hex').slice(0, 32);
}
