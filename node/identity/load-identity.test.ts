import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSigning } from '../../kit/create-signing.ts';
import { sha256Hex } from '../../kit/hash.ts';
import type { Signing } from '../../kit/signing.ts';
import { loadIdentity } from './load-identity.ts';

let signing: Signing;
let directory: string;
beforeAll(async () => {
  signing = await createSigning();
});
afterAll(() => signing.close());
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshproof-identity-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const paths = () => ({
  machineKeyPath: join(directory, 'keys', 'machine.key'),
  agentKeyPath: join(directory, 'keys', 'agent.key'),
});
const load = () => loadIdentity({ ...paths(), signing });

test('the first start makes two different private keys, the next starts keep them', async () => {
  const first = await load();
  expect(first.machine.id).toBe(sha256Hex(first.machine.publicKey));
  expect(first.agent.id).not.toBe(first.machine.id);
  expect((await stat(paths().machineKeyPath)).mode & 0o777).toBe(0o600);
  expect((await stat(paths().agentKeyPath)).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'keys'))).mode & 0o777).toBe(0o700);
  expect(await readdir(join(directory, 'keys'))).toEqual(['agent.key', 'machine.key']);

  const before = await readFile(paths().machineKeyPath, 'utf8');
  const second = await load();
  expect([second.machine.id, second.agent.id]).toEqual([first.machine.id, first.agent.id]);
  expect(await readFile(paths().machineKeyPath, 'utf8')).toBe(before);
  const message = new Uint8Array([1, 2, 3]);
  expect(await signing.verify(first.agent.publicKey, message, await second.agent.sign(message))).toBe(true);
});

test('the format of a key file is kept for ever', async () => {
  await mkdir(join(directory, 'keys'));
  const id = 'd666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9';
  const seed = Array.from({ length: 32 }, (_, index) => index.toString(16).padStart(2, '0')).join('');
  const text = `{"format":"meshproof.key.v1","algorithm":"ml-dsa-65","id":"${id}","seed":"${seed}"}`;
  await writeFile(paths().machineKeyPath, text, { mode: 0o600 });
  expect((await load()).machine.id).toBe(id);
});

test('starts at the same time in one process agree on the keys', async () => {
  const started = await Promise.all(Array.from({ length: 8 }, load));
  expect(new Set(started.map(({ machine }) => machine.id)).size).toBe(1);
  expect(new Set(started.map(({ agent }) => agent.id)).size).toBe(1);
  expect(await readdir(join(directory, 'keys'))).toEqual(['agent.key', 'machine.key']);
});

test('processes that start at the same time agree on the keys', async () => {
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const code = `
    import { createSigning } from ${module('../../kit/create-signing.ts')};
    import { loadIdentity } from ${module('./load-identity.ts')};
    const { machine, agent } = await loadIdentity({ ...${JSON.stringify(paths())}, signing: await createSigning() });
    console.log(machine.id + ' ' + agent.id);`;
  const run = () => execa(process.execPath, ['--input-type=module', '--eval', code], { timeout: 15_000 });
  const ran = await Promise.all([run(), run(), run()]);
  const { machine, agent } = await load();
  expect(ran.map(({ stdout }) => stdout)).toEqual(Array(3).fill(`${machine.id} ${agent.id}`));
});

describe('a key file that cannot be trusted is refused by name and left as it was', () => {
  const spoil = async (change: (text: string) => string) => {
    await load();
    const path = paths().machineKeyPath;
    const spoiled = change(await readFile(path, 'utf8'));
    await writeFile(path, spoiled);
    return spoiled;
  };

  test.each([
    ['empty', () => ''],
    ['truncated', (text: string) => text.slice(0, 120)],
    ['garbage', () => '\u0000\u0001garbage'],
    ['of another version', (text: string) => text.replace('key.v1', 'key.v9')],
    [
      'with one digit of its seed changed',
      (text: string) =>
        text.replace(/.("\s*\}\s*)$/, (last) => `${last[0] === '0' ? '1' : '0'}${last.slice(1)}`),
    ],
    ['far too large', (text: string) => text + ' '.repeat(10_000)],
    ['with an unknown field', (text: string) => text.replace('{', '{"extra":1,')],
  ])('%s', async (_, change) => {
    const spoiled = await spoil(change);
    const path = paths().machineKeyPath;
    const error: unknown = await load().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'KEY_FILE_DAMAGED', details: { file: path } });
    expect(String(error)).toContain(path);
    expect(await readFile(path, 'utf8')).toBe(spoiled);
  });

  test.each(['640', '604', '660'])('of mode %s, with the fix in the message', async (octal) => {
    await load();
    const path = paths().agentKeyPath;
    await chmod(path, Number.parseInt(octal, 8));
    await expect(load()).rejects.toMatchObject({ code: 'KEY_FILE_EXPOSED', details: { file: path } });
    await expect(load()).rejects.toThrow(`chmod 600 '${path}'`);
  });

  test('a directory in its place', async () => {
    await mkdir(paths().machineKeyPath, { recursive: true });
    await expect(load()).rejects.toMatchObject({ details: { file: paths().machineKeyPath } });
  });

  test('a path through a file', async () => {
    await writeFile(join(directory, 'keys'), 'not a directory');
    await expect(load()).rejects.toMatchObject({ code: 'KEY_FILE_UNREADABLE' });
  });

  test('a damaged file does not show its seed in the error', async () => {
    const spoiled = await spoil((text) => text.replace('ml-dsa-65', 'ml-dsa-44'));
    const seed = /"seed": "([0-9a-f]+)"/.exec(spoiled)?.[1];
    expect(seed).toHaveLength(64);
    const error: unknown = await load().catch((reason: unknown) => reason);
    expect(JSON.stringify(error)).not.toContain(seed);
  });
});

test('one file for both keys is refused', async () => {
  const path = join(directory, 'one.key');
  const loading = loadIdentity({ machineKeyPath: path, agentKeyPath: `${directory}/./one.key`, signing });
  await expect(loading).rejects.toMatchObject({ code: 'KEY_FILES_SAME' });
});

test('a place that cannot be written is named', async () => {
  const machineKeyPath = '/proc/meshproof/machine.key';
  const loading = loadIdentity({ machineKeyPath, agentKeyPath: paths().agentKeyPath, signing });
  await expect(loading).rejects.toMatchObject({
    code: 'KEY_FILE_NOT_WRITTEN',
    details: { file: machineKeyPath },
  });
});
