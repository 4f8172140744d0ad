import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { anchorHost, findTarget, meshHosts, parseInventory, pickHosts, readInventory } from './inventory.ts';
import { INVENTORY_TEMPLATE } from './inventory-template.ts';

const FILE = '/etc/fleet/inventory.toml';
const HEAD = 'format = "meshproof.inventory.v1"\n';
const KEY = `SHA256:${'A'.repeat(43)}`;
const host = (name: string, more = '') =>
  `[[host]]\nname = "${name}"\naddress = "${name}.example.net"\nagent = true\n${more}\n`;
const parse = (text: string) => parseInventory(HEAD + text, FILE);

describe('an inventory', () => {
  it('fills in what is left out', () => {
    expect(parse(host('a'))).toEqual({
      source: FILE,
      network: 'test',
      environment: 'test',
      labDir: null,
      jumps: [],
      hosts: [
        {
          name: 'a',
          region: null,
          meshAddress: 'a.example.net',
          udpPort: 5_483,
          apiPort: 12_700,
          runnerPort: 12_701,
          roles: ['node'],
          ssh: {
            name: 'a',
            address: 'a.example.net',
            port: 22,
            user: 'root',
            identity: { agent: true },
            hostKey: null,
            proxyCommand: null,
            jump: null,
          },
        },
      ],
    });
  });

  it('takes paths of keys from where the file is, or from home', () => {
    const keyOf = (key: string) =>
      parse(`[[host]]\nname = "a"\naddress = "192.0.2.1"\nkey = "${key}"`).hosts[0]?.ssh.identity;
    expect(keyOf('keys/id')).toEqual({ keyFile: '/etc/fleet/keys/id' });
    expect(keyOf('~/.ssh/id')).toEqual({ keyFile: join(homedir(), '.ssh/id') });
    expect(keyOf('/k')).toEqual({ keyFile: '/k' });
  });

  it('says where the lab is whose machines its hosts are', () => {
    expect(parse(`[lab]\ndir = "/srv/lab"\n${host('a')}`).labDir).toBe('/srv/lab');
    expect(parse(`[lab]\ndir = "."\n${host('a')}`).labDir).toBe('/etc/fleet');
  });

  it('resolves a way over several machines', () => {
    const jump = (name: string, more = '') => host(name, more).replace('[[host]]', '[[jump]]');
    const { hosts } = parse(
      host('a', 'jump = "b"') + jump('b', 'jump = "c"') + jump('c', `host_key = "${KEY}"`),
    );
    expect(hosts[0]?.ssh.jump?.jump).toMatchObject({ name: 'c', hostKey: KEY, jump: null });
  });

  it('knows who carries a node and who is the anchor', () => {
    const inventory = parse(
      host('a', 'roles = ["spare"]') + host('b') + host('c', 'roles = ["node", "anchor"]'),
    );
    expect(meshHosts(inventory).map(({ name }) => name)).toEqual(['b', 'c']);
    expect(anchorHost(inventory)?.name).toBe('c');
    expect(anchorHost(parse(host('a', 'roles = ["spare"]') + host('b')))?.name).toBe('b');
  });

  it('picks hosts by name, and names those it knows when there is no such host', () => {
    const inventory = parse(host('a') + host('b') + host('c').replace('[[host]]', '[[jump]]'));
    expect(pickHosts(inventory, ['b', 'a']).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(() => pickHosts(inventory, ['c'])).toThrow(/has no host "c": expected a, b$/);
    expect(findTarget(inventory, 'c')).toMatchObject({ address: 'c.example.net' });
    expect(() => findTarget(inventory, 'd')).toThrow(/expected a, b, c$/);
  });

  it('takes any number of hosts', () => {
    const many = Array.from({ length: 500 }, (_, at) => host(`n${at}`)).join('');
    expect(parse(many).hosts).toHaveLength(500);
  });

  it('is what "fleet init" writes', () => {
    expect(parseInventory(INVENTORY_TEMPLATE, FILE).hosts.map(({ name }) => name)).toEqual([
      'alpha',
      'beta',
      'gamma',
    ]);
  });
});

test.each([
  ['', 'host is missing: expected [[host]] tables'],
  [host('a') + host('a', 'udp_port = 1'), 'host.1.name is "a": names must be unique'],
  [host('a b'), 'host.0.name is "a b": expected a name of letters'],
  [host('a', 'udp_port = 70000'), 'host.0.udp_port is 70000: expected a port from 1 to 65535'],
  [host('a', 'host_key = "MD5:12"'), 'host.0.host_key is "MD5:12": expected "SHA256:" and 43 characters'],
  [host('a', 'key = "k"'), 'host.0.agent is true: expected either key or agent'],
  [
    host('a').replace('agent = true', ''),
    'host.0.key is missing: expected the path of a private key, or agent',
  ],
  [host('a', 'jump = "x"'), 'host.0.jump is "x": expected the name of a [[host]] or [[jump]]; no x'],
  [host('a', 'jump = "b"') + host('b', 'jump = "a"'), 'host.0.jump is "b": expected a way that ends'],
  [host('a', 'jump = "b"\nproxy_command = ["p"]') + host('b'), 'host.0.jump is "b": expected either jump or'],
  [host('a', 'roles = ["boss"]'), 'host.0.roles.0 is "boss": expected one of node, anchor, spare'],
  [
    host('a', 'roles = ["spare", "node"]'),
    'host.0.roles is ["spare","node"]: a spare host has no other role',
  ],
  [
    host('a', 'roles = ["anchor"]') + host('b', 'roles = ["anchor"]'),
    'host.1.roles is ["anchor"]: the anchor is a already',
  ],
  [host('a', 'mesh_address = "192.0.2.1"') + host('b', 'mesh_address = "192.0.2.1"'), 'host.1.udp_port is'],
  [
    host('a', 'api_port = 9\nrunner_port = 9'),
    'host.0.runner_port is 9: expected another port than api_port',
  ],
  [`[lab]\n${host('a')}`, 'lab.dir is missing: expected the directory of a lab'],
  [host('a', 'colour = "red"'), 'host.0.colour: is not a known key'],
])('%j is refused with file, field, value and expectation', (text, message) => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: 'TOML_VALUE', message: expect.stringContaining(`${FILE}: ${message}`) }),
  );
});

test('a syntax error names the line, a missing file the file', async () => {
  expect(() => parse('[[host]]\nname = = "a"')).toThrow(/inventory\.toml:3:/);
  await expect(readInventory('/no/such/inventory.toml')).rejects.toMatchObject({
    code: 'INVENTORY_UNREADABLE',
    message: '/no/such/inventory.toml: the inventory does not exist',
  });
});
