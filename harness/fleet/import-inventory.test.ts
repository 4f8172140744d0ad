import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importInventory } from './import-inventory.ts';
import { parseInventory } from './inventory.ts';
import { KnownHosts } from './known-hosts.ts';

const CONFIG = `
Include conf.d/*
Host ams1 ams2
  HostName %h.example.net
  User mesh
Host bastion
  HostName 198.51.100.2
  Port 2222
Host nyc
  HostName 198.51.100.20
  ProxyJump bastion,deep@203.0.113.9:2200
  IdentityFile ~/.ssh/id_nyc
Host far
  HostName 203.0.113.30
  ProxyCommand ssh -W %h:%p bastion
Host *.internal !secret
  User nobody
Match exec "touch /should/never/run"
  User fooled
Host *
  User root
`;

describe('an inventory from the files of OpenSSH', () => {
  let dir: string;
  const keys: Record<string, { line: string; fingerprint: string }> = {};

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'meshproof-import-'));
    for (const type of ['ed25519', 'ecdsa']) {
      const file = join(dir, type);
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
      const fingerprint =
        execFileSync('ssh-keygen', ['-lf', `${file}.pub`], { encoding: 'utf8' }).split(' ')[1] ?? '';
      keys[type] = { line: readFileSync(`${file}.pub`, 'utf8').trim(), fingerprint };
    }
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const knownLines = () => [
    `198.51.100.20 ${keys.ecdsa?.line}`,
    `198.51.100.20,nyc.example.net ${keys.ed25519?.line}`,
    `[198.51.100.2]:2222 ${keys.ed25519?.line}`,
    `@revoked 203.0.113.30 ${keys.ed25519?.line}`,
    '# a comment',
    'broken line',
  ];

  it('has a host for each name that is no pattern, with its settings', () => {
    const { text, notes } = importInventory(
      { text: CONFIG, file: 'config' },
      new KnownHosts(knownLines().join('\n')),
      'me',
    );
    const { hosts, jumps } = parseInventory(text, '/home/x/fleet.toml');
    expect(hosts.map(({ name }) => name)).toEqual(['ams1', 'ams2', 'bastion', 'nyc', 'far']);
    const ssh = Object.fromEntries(hosts.map((host) => [host.name, host.ssh]));
    expect(ssh.ams2).toMatchObject({
      address: 'ams2.example.net',
      user: 'mesh',
      identity: { agent: true },
      hostKey: null,
    });
    expect(ssh.bastion).toMatchObject({ port: 2222, user: 'root', hostKey: keys.ed25519?.fingerprint });
    expect(ssh.far).toMatchObject({
      proxyCommand: ['sh', '-c', 'exec ssh -W {host}:{port} bastion'],
      hostKey: null,
    });
    expect(ssh.nyc).toMatchObject({
      hostKey: keys.ed25519?.fingerprint,
      jump: { name: '203.0.113.9', user: 'deep', port: 2200, jump: { name: 'bastion' } },
    });
    expect(jumps.map(({ name }) => name)).toEqual(['203.0.113.9']);
    expect(notes.join('\n')).toMatch(
      /Include.*Match exec.*no host key is known of ams1, ams2, far, 203\.0\.113\.9/s,
    );
  });

  it('finds hashed names', () => {
    const file = join(dir, 'known_hosts');
    writeFileSync(file, `${knownLines().slice(0, 3).join('\n')}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
    const known = new KnownHosts(readFileSync(file, 'utf8'));
    expect(known.fingerprintOf('198.51.100.2', 2222)).toBe(keys.ed25519?.fingerprint);
    expect(known.fingerprintOf('198.51.100.2', 22)).toBeNull();
    expect(known.plainNames()).toEqual([]);
  });

  it('takes the names in known_hosts when there is nothing else', () => {
    const { text } = importInventory(null, new KnownHosts(knownLines().join('\n')), 'me');
    expect(parseInventory(text, 'f').hosts.map(({ ssh }) => [ssh.address, ssh.port, ssh.user])).toEqual([
      ['198.51.100.20', 22, 'me'],
      ['198.51.100.2', 2222, 'me'],
    ]);
  });

  it('says when there is nothing to take', () => {
    expect(() => importInventory(null, new KnownHosts('# empty'), 'me')).toThrow(
      expect.objectContaining({ code: 'NOTHING_TO_IMPORT' }),
    );
  });
});
