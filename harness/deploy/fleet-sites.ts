import { type Inventory, meshHosts, pickHosts } from '../fleet/inventory.ts';
import { SshHost } from '../fleet/ssh-host.ts';
import { Site } from './site.ts';

/** The hosts of an inventory that carry nodes, and those of them that a command is about. */
export interface FleetSites extends AsyncDisposable {
  readonly mesh: readonly Site[];
  readonly chosen: readonly Site[];
}

/**
 * Makes the way to every host that carries a node; each connects when it is first needed.
 * @throws UsageError `HOST_NOT_LISTED` when `names` has one that the inventory does not; empty is all
 */
export function fleetSites(inventory: Inventory, names: readonly string[]): FleetSites {
  const picked = names.length === 0 ? inventory.hosts : pickHosts(inventory, names);
  const mesh = meshHosts(inventory).map((host) => new Site(host, new SshHost(host.ssh)));
  return {
    mesh,
    chosen: mesh.filter((site) => picked.some(({ name }) => name === site.name)),
    async [Symbol.asyncDispose]() {
      await Promise.all(mesh.map((site) => site[Symbol.asyncDispose]()));
    },
  };
}
