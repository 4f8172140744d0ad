import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ML_DSA_65 } from '../../kit/signing.ts';
import { parseConfig } from '../../node/config.ts';
import { loadConfig } from '../../runner/config.ts';
import { TARGET } from './fixture-deployment.ts';
import { renderRelease } from './release.ts';

const KEY = Buffer.alloc(ML_DSA_65.publicKeyBytes, 1).toString('base64');
const others = [{ ...TARGET, name: 'sfo', meshAddress: '2001:db8::2' }];
const options = { target: TARGET, others, networkId: 'test', operatorKeys: [KEY], version: 'a'.repeat(64) };

it('writes configurations that node and runner take', async () => {
  const { nodeToml, runnerToml } = renderRelease(options);
  expect(parseConfig(nodeToml, 'node.toml')).toMatchObject({
    bindAddress: { host: '0.0.0.0', port: 6_483 },
    apiAddress: { host: '127.0.0.1', port: 13_600 },
    knownPeers: [{ host: '2001:db8::2', port: 6_483 }],
    networkId: 'test',
  });
  const home = await mkdtemp(join(tmpdir(), 'meshproof-release-'));
  await writeFile(join(home, 'runner.toml'), runnerToml);
  const { operators, control_address } = loadConfig(join(home, 'runner.toml'));
  expect([operators.size, control_address]).toEqual([1, { host: '127.0.0.1', port: 13_700 }]);
  await rm(home, { recursive: true });
});

it('has the same id for the same content, and another one for any other', () => {
  const { id } = renderRelease(options);
  expect(renderRelease(options).id).toBe(id);
  const changed = [{ version: 'b'.repeat(64) }, { others: [] }, { operatorKeys: [] }];
  expect(new Set([id, ...changed.map((change) => renderRelease({ ...options, ...change }).id)]).size).toBe(4);
});
