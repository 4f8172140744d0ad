import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig, parseConfig } from './config.ts';

const FILE = '/etc/meshproof/node.toml';

describe('the configuration of a node', () => {
  it('needs nothing but a data directory', () => {
    expect(parseConfig('data_dir = "data"', FILE)).toEqual({
      dataDir: '/etc/meshproof/data',
      bindAddress: { host: '::', port: 5_483 },
      apiAddress: { host: '127.0.0.1', port: 12_700 },
      machineKeyPath: '/etc/meshproof/data/machine.key',
      agentKeyPath: '/etc/meshproof/data/agent.key',
      knownPeers: [],
      peerExchange: true,
      maxDatagramBytes: null,
      networkId: 'meshproof',
      instanceName: null,
      logLevel: 'warn',
    });
  });

  it('takes every key', () => {
    const text = `
      data_dir = "/var/lib/node"
      bind_address = "[::1]:0"
      api_address = "[::1]:0"
      machine_key_path = "/keys/m"
      agent_key_path = "keys/a"
      known_peers = ["10.0.0.1:5483", "node.example.org:5483"]
      peer_exchange = false
      max_datagram_bytes = 1350
      network_id = "staging"
      instance_name = "alice"
      log_level = "debug"
    `;
    expect(parseConfig(text, FILE)).toEqual({
      dataDir: '/var/lib/node',
      bindAddress: { host: '::1', port: 0 },
      apiAddress: { host: '::1', port: 0 },
      machineKeyPath: '/keys/m',
      agentKeyPath: '/etc/meshproof/keys/a',
      knownPeers: [
        { host: '10.0.0.1', port: 5_483 },
        { host: 'node.example.org', port: 5_483 },
      ],
      peerExchange: false,
      maxDatagramBytes: 1_350,
      networkId: 'staging',
      instanceName: 'alice',
      logLevel: 'debug',
    });
  });

  it.each([
    ['nope = 1\ndata_dir = "d"', 'TOML_VALUE', `${FILE}: nope: is not a known key`],
    ['', 'TOML_VALUE', `${FILE}: data_dir is missing: expected a path`],
    ['data_dir = 7', 'TOML_VALUE', `${FILE}: data_dir is 7: expected a path`],
    [
      'data_dir = "d"\nbind_address = "nowhere"',
      'TOML_VALUE',
      `${FILE}: bind_address is "nowhere": expected "host:port" for the UDP socket`,
    ],
    [
      'data_dir = "d"\nbind_address = "127.0.0.1:70000"',
      'TOML_VALUE',
      `${FILE}: bind_address is "127.0.0.1:70000": expected "host:port" for the UDP socket`,
    ],
    [
      'data_dir = "d"\napi_address = "0.0.0.0:12700"',
      'TOML_VALUE',
      `${FILE}: api_address is "0.0.0.0:12700": the API listens on loopback only: expected 127.0.0.1:port or [::1]:port`,
    ],
    [
      'data_dir = "d"\nknown_peers = ["10.0.0.1:5483", 3]',
      'TOML_VALUE',
      `${FILE}: known_peers.1 is 3: expected "host:port"`,
    ],
    [
      'data_dir = "d"\nknown_peers = "10.0.0.1:5483"',
      'TOML_VALUE',
      `${FILE}: known_peers is "10.0.0.1:5483": expected a list of "host:port"`,
    ],
    [
      'data_dir = "d"\nmax_datagram_bytes = 1199',
      'TOML_VALUE',
      `${FILE}: max_datagram_bytes is 1199: expected a number of bytes from 1200 to 16383`,
    ],
    [
      'data_dir = "d"\npeer_exchange = "no"',
      'TOML_VALUE',
      `${FILE}: peer_exchange is "no": expected true or false`,
    ],
    [
      'data_dir = "d"\nlog_level = "loud"',
      'TOML_VALUE',
      `${FILE}: log_level is "loud": expected one of trace, debug, info, warn, error, fatal, silent`,
    ],
    ['data_dir = "d"\nbind_address = \n', 'TOML_SYNTAX', expect.stringContaining(`${FILE}:2:`)],
  ])('refuses %j, naming file, key, value and what was expected', (text, code, message) => {
    expect(() => parseConfig(text, FILE)).toThrow(expect.objectContaining({ code, message }));
  });

  it('says which file it could not read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'meshproof-config-'));
    const file = join(dir, 'absent.toml');
    await expect(loadConfig(file)).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: `${file}: cannot read the configuration: ENOENT`,
    });
    await rm(dir, { recursive: true });
  });
});
