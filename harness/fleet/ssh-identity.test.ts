import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SshIdentity } from './inventory.ts';
import { loadIdentity } from './ssh-identity.ts';

describe('a user key', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'meshproof-keys-'));
    const make = (name: string, passphrase: string, ...more: string[]) =>
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', join(dir, name), ...more]);
    make('good', '');
    make('locked', 'secret');
    make('open', '');
    chmodSync(join(dir, 'open'), 0o644);
    chmodSync(join(dir, 'good.pub'), 0o600);
    writeFileSync(join(dir, 'junk'), 'not a key', { mode: 0o600 });
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const load = (identity: SshIdentity) =>
    loadIdentity({
      name: 'alpha',
      address: '192.0.2.1',
      port: 22,
      user: 'mesh',
      identity,
      hostKey: null,
      proxyCommand: null,
      jump: null,
    });

  it('is read from its file', async () => {
    expect(await load({ keyFile: join(dir, 'good') })).toMatchObject({ type: 'publickey', username: 'mesh' });
  });

  it.each([
    ['locked', 'SSH_KEY_ENCRYPTED', /is encrypted: give it to an agent \(ssh-add .*locked\)/],
    ['open', 'SSH_KEY_UNUSABLE', /may be read by others \(mode 644\): chmod 600 it/],
    ['good.pub', 'SSH_KEY_UNUSABLE', /is a public key/],
    ['junk', 'SSH_KEY_UNUSABLE', /is no private key that can be used/],
    ['absent', 'SSH_KEY_UNUSABLE', /absent does not exist/],
  ])('that is %s is refused, and the message says what to do', async (name, code, message) => {
    const loading = load({ keyFile: join(dir, name) });
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('is left to the agent, which must be there', async () => {
    vi.stubEnv('SSH_AUTH_SOCK', '/run/agent');
    expect(await load({ agent: true })).toEqual({ type: 'agent', username: 'mesh', agent: '/run/agent' });
    vi.stubEnv('SSH_AUTH_SOCK', '');
    await expect(load({ agent: true })).rejects.toMatchObject({ code: 'SSH_AGENT_MISSING' });
    vi.unstubAllEnvs();
  });
});
