import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../kit/errors.ts';
import { sha256Hex } from '../kit/hash.ts';
import { loadConfig } from './config.ts';

const KEY = Buffer.alloc(1_952, 7);
const VALID = {
  node_name: 'nyc',
  api_base: 'http://127.0.0.1:12600',
  api_token_path: 'api-token',
  control_token_path: '/run/control-token',
  operator_keys: [KEY.toString('base64')],
  data_dir: 'data',
};
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'meshproof-config-'));
});
afterEach(() => rmSync(home, { recursive: true }));

function load(change: Record<string, unknown> = {}) {
  const path = join(home, 'runner.toml');
  writeFileSync(path, stringify({ ...VALID, ...change }));
  return loadConfig(path);
}

describe('loadConfig', () => {
  it('gives defaults, paths relative to the file, and operators by the digest of their key', () => {
    const config = load();
    expect(config).toMatchObject({
      control_address: { host: '127.0.0.1', port: 0 },
      api_token_path: join(home, 'api-token'),
      control_token_path: '/run/control-token',
      data_dir: join(home, 'data'),
      log_level: 'warn',
    });
    expect([...config.operators.keys()]).toEqual([sha256Hex(KEY)]);
  });

  it('reads an operator key from a file too', () => {
    writeFileSync(join(home, 'operator.pub'), `${KEY.toString('base64')}\n`);
    expect([...load({ operator_keys: ['operator.pub'] }).operators.keys()]).toEqual([sha256Hex(KEY)]);
  });

  it.each([
    ['colour: is not a known key', { colour: 'red' }],
    ['control_address', { control_address: '0.0.0.0:1' }],
    ['control_address', { control_address: '127.0.0.1:70000' }],
    ['control_address', { control_address: 'localhost:1' }],
    ['operator_keys is []: expected at least one', { operator_keys: [] }],
    ['operator_keys.0: the key file', { operator_keys: ['none.pub'] }],
    ['operator_keys.0: base64 gives', { operator_keys: ['A'.repeat(2_000)] }],
    ['api_base is "ftp://x"', { api_base: 'ftp://x' }],
    ['node_name is 7', { node_name: 7 }],
    ['log_level is "loud"', { log_level: 'loud' }],
  ])('names the file and the place: %s', (words, change) => {
    expect(() => load(change)).toThrow(UsageError);
    expect(() => load(change)).toThrow(words);
    expect(() => load(change)).toThrow('runner.toml');
  });

  it('names a file that is not there', () => {
    expect(() => loadConfig(join(home, 'none.toml'))).toThrow(/none\.toml/);
  });
});
