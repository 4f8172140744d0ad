import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import * as z from 'zod';
import { codeOf, UsageError } from '../kit/errors.ts';
import { parseToml } from '../kit/toml.ts';
import { parseAddress } from './api/address.ts';
import { isLoopback } from './transport/addresses.ts';
import type { SocketAddress } from './transport/transport.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const address = (what: string) =>
  z.string(`expected ${what}`).transform((text, context): SocketAddress => {
    const parsed = parseAddress(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `expected ${what}` });
    return z.NEVER;
  });

const apiAddress = address('a loopback "host:port", like "127.0.0.1:12700"').refine(
  ({ host }) => isLoopback(host),
  'the API listens on loopback only: expected 127.0.0.1:port or [::1]:port',
);
const path = z.string('expected a path').min(1, 'expected a path');

const DATAGRAM_SIZE = 'expected a number of bytes from 1200 to 16383';

const fileSchema = z.strictObject({
  data_dir: path,
  bind_address: address('"host:port" for the UDP socket').default({ host: '::', port: 5_483 }),
  api_address: apiAddress.default({ host: '127.0.0.1', port: 12_700 }),
  machine_key_path: path.optional(),
  agent_key_path: path.optional(),
  known_peers: z
    .array(
      address('"host:port"').refine(({ port }) => port > 0, 'expected a port above 0'),
      'expected a list of "host:port"',
    )
    .max(256, 'expected at most 256 peers; others are learnt from them')
    .default([]),
  peer_exchange: z.boolean('expected true or false').default(true),
  max_datagram_bytes: z
    .int(DATAGRAM_SIZE)
    .min(1_200, DATAGRAM_SIZE) // RFC 9000 section 14: QUIC needs as much
    .max(16_383, DATAGRAM_SIZE)
    .optional(),
  network_id: z.string('expected a text').max(64, 'expected at most 64 characters').default('meshproof'),
  instance_name: z
    .string('expected a text')
    .min(1, 'expected a name')
    .max(64, 'expected at most 64 characters')
    .optional(),
  log_level: z.enum(LOG_LEVELS, `expected one of ${LOG_LEVELS.join(', ')}`).default('warn'),
});

/** What a node is started with; paths are absolute. */
export interface NodeConfig {
  readonly dataDir: string;
  /** UDP. Port 0 picks one. */
  readonly bindAddress: SocketAddress;
  /** TCP, loopback. Port 0 picks one. */
  readonly apiAddress: SocketAddress;
  readonly machineKeyPath: string;
  readonly agentKeyPath: string;
  readonly knownPeers: readonly SocketAddress[];
  /**
   * Whether addresses of peers are told and believed. Without it only `knownPeers` are dialled: for meshes in which each
   * peer must be reached by the way that was configured, such as a link proxy.
   */
  readonly peerExchange: boolean;
  /** Largest UDP payload to send on any path; null for what each path carries by itself: loopback more than a network. */
  readonly maxDatagramBytes: number | null;
  /** Nodes talk only to nodes of the same network. */
  readonly networkId: string;
  readonly instanceName: string | null;
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

/**
 * Reads the flat TOML file of a node. Everything but `data_dir` has a default; keys that mean nothing are refused.
 * Relative paths are relative to the file.
 * @throws UsageError `CONFIG_UNREADABLE`, `TOML_SYNTAX`, `TOML_VALUE`, each naming the file and the place in it
 */
export async function loadConfig(file: string): Promise<NodeConfig> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError('CONFIG_UNREADABLE', `${file}: cannot read the configuration: ${codeOf(cause)}`, {
      details: { file },
      cause,
    });
  });
  return parseConfig(text, file);
}

/** The pure part of `loadConfig`: `text` as found in `file`. */
export function parseConfig(text: string, file: string): NodeConfig {
  const parsed = parseToml(text, file, fileSchema);
  const home = dirname(resolve(file));
  const absolute = (path: string) => (isAbsolute(path) ? path : join(home, path));
  const dataDir = absolute(parsed.data_dir);
  return {
    dataDir,
    bindAddress: parsed.bind_address,
    apiAddress: parsed.api_address,
    machineKeyPath: absolute(parsed.machine_key_path ?? join(dataDir, 'machine.key')),
    agentKeyPath: absolute(parsed.agent_key_path ?? join(dataDir, 'agent.key')),
    knownPeers: parsed.known_peers,
    peerExchange: parsed.peer_exchange,
    maxDatagramBytes: parsed.max_datagram_bytes ?? null,
    networkId: parsed.network_id,
    instanceName: parsed.instance_name ?? null,
    logLevel: parsed.log_level,
  };
}
