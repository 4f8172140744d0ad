import { isIP } from 'node:net';
import { FaultError } from '../../kit/errors.ts';
import type { ExecOptions, Host } from './host.ts';
import type { InventoryHost } from './inventory.ts';

const ADDRESSES_MAX = 16;

/**
 * The IP addresses behind the name by which the other hosts know this one, as a host of the fleet resolves it: both
 * families where there are both.
 * @throws FaultError `MESH_ADDRESS_UNKNOWN`; what `Host.exec` throws
 */
export async function meshAddresses(
  { meshAddress }: Pick<InventoryHost, 'meshAddress'>,
  host: Host,
  limits: Pick<ExecOptions, 'budgetMs' | 'signal'>,
): Promise<readonly [string, ...string[]]> {
  if (isIP(meshAddress) !== 0) return [meshAddress];
  const { stdout } = await host.exec(['getent', 'ahosts', meshAddress], limits);
  const [first, ...more] = new Set(
    stdout
      .split('\n')
      .map((line) => line.split(/\s+/)[0] ?? '')
      .filter((address) => isIP(address) !== 0),
  );
  if (first !== undefined) return [first, ...more.slice(0, ADDRESSES_MAX - 1)];
  throw new FaultError(
    'MESH_ADDRESS_UNKNOWN',
    `${host.name}: cannot resolve its mesh_address ${meshAddress}`,
    {
      details: { host: host.name, mesh_address: meshAddress },
    },
  );
}
