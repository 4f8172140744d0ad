import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inventory, parseInventory } from '../fleet/inventory.ts';
import { checkEnvironment, inventoryOfRun, nodesOf } from './mesh-of-run.ts';

const host = (name: string, more = '') =>
  `[[host]]\nname = "${name}"\naddress = "192.0.2.${name.length}"\nudp_port = 5${name.length}\nagent = true\n${more}`;
const HEAD = 'format = "meshproof.inventory.v1"\nenvironment = "staging"\n';
const THREE = `${HEAD}${host('a')}${host('bb', 'roles = ["node", "anchor"]\n')}${host('ccc', 'roles = ["spare"]\n')}`;

describe('where the nodes of a run are', () => {
  let dir: string;
  let file: string;
  let lone: string;
  let inventory: Inventory;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'meshproof-mesh-of-run-'));
    [file, lone] = [join(dir, 'fleet.toml'), join(dir, 'lone.toml')];
    await writeFile(file, THREE);
    await writeFile(lone, `${HEAD}${host('a')}`);
    inventory = parseInventory(THREE, file);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('is this machine, or the hosts of an inventory without its spare ones', async () => {
    expect(await inventoryOfRun({ local: 3 })).toBeNull();
    const given = await inventoryOfRun({ inventory: file });
    expect(given && nodesOf(given)).toEqual({
      nodes: [
        { name: 'a', region: null },
        { name: 'bb', region: null },
      ],
      anchor: 'bb',
    });
  });

  it.for([
    ['neither of the two', {}, /--local N .* --inventory FILE/],
    ['both', { local: 3, inventory: 'FILE' }, /give one of the two/],
    ['links over hosts', { inventory: 'FILE', links: 'lan' }, /--links: goes with --local only/],
    [
      'an environment of this machine',
      { local: 3, environment: 'x' },
      /--environment: goes with --inventory/,
    ],
    ['a fleet of one', { inventory: 'LONE' }, /lone\.toml: a run needs 2 hosts that carry a node, not 1/],
  ] as const)('cannot be %s', async ([, flags, message]) => {
    const named = 'inventory' in flags ? { inventory: flags.inventory === 'LONE' ? lone : file } : {};
    await expect(inventoryOfRun({ ...flags, ...named })).rejects.toThrow(message);
  });

  it('must be named to do harm there, and named right', () => {
    const harmful = { scenarios: [{ name: 'restart_storm', options: {} }] };
    expect(() => checkEnvironment(inventory, undefined, harmful)).toThrow(/say where: --environment staging/);
    expect(() => checkEnvironment(inventory, 'lab', harmful)).toThrow(/"lab" is not the environment of/);
    checkEnvironment(inventory, 'staging', harmful);
    const convergence = (options: object) => ({
      scenarios: [{ name: 'convergence', options: { ...options } }],
    });
    expect(() => checkEnvironment(inventory, undefined, convergence({ side: ['a'] }))).toThrow(/does harm/);
    checkEnvironment(inventory, undefined, convergence({}));
    checkEnvironment(inventory, undefined, { scenarios: [{ name: 'baseline', options: {} }] });
  });

  it('is never a fleet that calls itself this machine, whose evidence would not be asked for', () => {
    expect(() => nodesOf({ ...inventory, environment: 'local' })).toThrow(/means this machine/);
  });
});
