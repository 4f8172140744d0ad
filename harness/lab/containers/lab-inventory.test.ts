import { describe, expect, it } from 'vitest';
import { parseToml } from '../../../kit/toml.ts';
import { inventoryFileSchema } from '../../fleet/inventory-schema.ts';
import { renderInventory, renderSshConfig } from './lab-inventory.ts';
import { planLab } from './lab-plan.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl lab\n';
const plan = planLab('/var/lib/lab', 2);
const hosts = plan.hosts.map((host) => ({ host, publicKey: KEY }));

describe('the inventory of a lab', () => {
  it('is one that the fleet reads, with a pinned key and a way into the namespace of the lab', () => {
    const inventory = parseToml(renderInventory(plan, hosts), 'inventory.toml', inventoryFileSchema);
    expect(inventory.environment).toBe('lab');
    expect(inventory.lab).toEqual({ dir: plan.dir });
    expect(inventory.host.map(({ name, region }) => [name, region])).toEqual([
      ['lab1', 'nyc'],
      ['lab2', 'sfo'],
    ]);
    const [first] = inventory.host;
    expect(first?.address).toBe(plan.hosts[0]?.address);
    // The fingerprint that `ssh-keygen -lf` prints for this key.
    expect(first?.host_key).toBe('SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU');
    expect(first?.proxy_command?.slice(0, 2)).toEqual(['nsenter', `--net=/run/netns/${plan.network}`]);
    expect(first?.proxy_command?.slice(-2)).toEqual(['{host}', '{port}']);
  });

  it('tells OpenSSH the same way, and to trust no other key', () => {
    const config = renderSshConfig(plan, hosts);
    expect(config).toMatch(new RegExp(`Host lab2\n {2}HostName ${plan.hosts[1]?.address}`));
    expect(config).toMatch(/ProxyCommand nsenter .* %h %p\n/);
    expect(config).toContain('StrictHostKeyChecking yes');
  });
});
