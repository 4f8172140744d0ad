import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { codeOf, UsageError } from '../kit/errors.ts';
import { ML_DSA_65 } from '../kit/signing.ts';
import { parseToml } from '../kit/toml.ts';
import { type Operators, operatorId } from './command-envelope.ts';

const LOOPBACK = /^(127(?:\.\d{1,3}){3}|\[::1\]):(\d{1,5})$/;

const controlAddress = z.string().transform((text, context) => {
  const [, host, port] = LOOPBACK.exec(text) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    context.addIssue({
      code: 'custom',
      message: 'expected a loopback address with port, such as 127.0.0.1:0',
    });
    return z.NEVER;
  }
  return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) };
});

/** The flat TOML file of a runner. */
const configSchema = z.strictObject({
  node_name: z.string().min(1).max(128),
  api_base: z.url({ protocol: /^http$/, error: 'expected the http URL of the node API' }),
  api_token_path: z.string().min(1),
  control_address: controlAddress.default({ host: '127.0.0.1', port: 0 }),
  control_token_path: z.string().min(1),
  operator_keys: z
    .array(z.string().min(1))
    .min(1, 'expected at least one public key: a runner without operator would obey nobody')
    .describe('ML-DSA-65 public keys as base64, or paths of files that hold one'),
  data_dir: z.string().min(1),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('warn'),
});

export type RunnerConfig = Omit<z.infer<typeof configSchema>, 'operator_keys'> & {
  readonly operators: Operators;
};

/**
 * Reads the configuration at `path`, operator keys included. Relative paths are relative to its directory.
 * @throws UsageError naming file and field
 */
export function loadConfig(path: string): RunnerConfig {
  const { operator_keys, ...config } = parseToml(readText(path, 'the configuration'), path, configSchema);
  const home = dirname(resolve(path));
  const keys = operator_keys.map((entry, index) =>
    publicKeyOf(entry, home, `${path}: operator_keys.${index}`),
  );
  return {
    ...config,
    api_token_path: resolve(home, config.api_token_path),
    control_token_path: resolve(home, config.control_token_path),
    data_dir: resolve(home, config.data_dir),
    operators: new Map(keys.map((key) => [operatorId(key), key])),
  };
}

function publicKeyOf(entry: string, home: string, where: string): Uint8Array {
  const isInline = entry.length >= ML_DSA_65.publicKeyBytes;
  const key = isInline ? Buffer.from(entry, 'base64') : keyInFile(resolve(home, entry), where);
  if (key.length === ML_DSA_65.publicKeyBytes) return key;
  throw new UsageError(
    'OPERATOR_KEY_INVALID',
    `${where}: ${isInline ? 'base64' : entry} gives ${key.length} bytes, expected an ML-DSA-65 public key of ${ML_DSA_65.publicKeyBytes}`,
    { details: { where, bytes: key.length } },
  );
}

function keyInFile(path: string, where: string): Uint8Array {
  return Buffer.from(readText(path, `${where}: the key file`).trim(), 'base64');
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError('FILE_UNREADABLE', `${what} ${path} cannot be read: ${codeOf(cause)}`, {
      details: { path },
      cause,
    });
  }
}
