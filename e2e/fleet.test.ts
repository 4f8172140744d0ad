import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sshdMissing, TestSshd } from '../harness/fleet/fixture-sshd.ts';
import { meshproof } from './short-command.ts';

const missing = sshdMissing();

describe.skipIf(missing !== null)(
  `the fleet commands${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let sshd: TestSshd;
    let file: string;

    beforeAll(async () => {
      sshd = await TestSshd.start();
      file = join(sshd.dir, 'fleet.toml');
      const host = (name: string, port: number) =>
        `[[host]]\nname = "${name}"\naddress = "127.0.0.1"\nport = ${port}\nkey = "user_key"\nudp_port = ${port}\n`;
      await writeFile(
        file,
        `format = "meshproof.inventory.v1"\n${host('here', sshd.port)}${host('gone', 1)}`,
      );
    });
    afterAll(() => sshd?.[Symbol.asyncDispose]());

    it('go from an unknown host to a look at it', async () => {
      const unknown = await meshproof('fleet', 'check', file, '--host', 'here');
      expect(unknown.code).toBe(5);
      expect(unknown.stdout).toMatch(
        /^FAIL {2}reach {2}here {2}no host key is pinned; it shows ssh-ed25519 SHA256:/m,
      );

      const { hostKey } = await sshd.target();
      const trusted = await meshproof('fleet', 'trust', file, 'here', '--fingerprint', `${hostKey}`);
      expect(trusted).toMatchObject({ code: 0, stdout: `here: ${hostKey} recorded in ${file}\n` });

      const { stdout } = await meshproof('fleet', 'check', file, '--json');
      const seen = JSON.parse(stdout);
      expect(seen).toMatchObject({ network: 'test', environment: 'test', status: 'fail' });
      const [here, gone] = seen.hosts;
      expect(here.facts.isRoot).toEqual({ seen: true });
      expect(here.checks.find(({ check }: { check: string }) => check === 'clock').status).not.toBe('fail');
      expect(gone).toMatchObject({ name: 'gone', status: 'fail', facts: null });
      expect(gone.checks[0].said).toMatch(/HOST_(UNREACHABLE|KEY_UNKNOWN)/);
    });

    it('write a template once', async () => {
      const fresh = join(sshd.dir, 'fresh.toml');
      expect(await meshproof('fleet', 'init', fresh)).toMatchObject({ code: 0 });
      expect((await stat(fresh)).size).toBeGreaterThan(1_000);
      const before = await readFile(fresh, 'utf8');
      expect(await meshproof('fleet', 'init', fresh)).toMatchObject({
        code: 64,
        stderr: expect.stringContaining('exists already'),
      });
      expect(await readFile(fresh, 'utf8')).toBe(before);
    });

    it('import what OpenSSH knows, as an inventory that can be checked', async () => {
      const known = join(sshd.dir, 'known_hosts');
      const key = await readFile(join(sshd.dir, 'host_key.pub'), 'utf8');
      await writeFile(known, `[127.0.0.1]:${sshd.port} ${key}`);
      const config = join(sshd.dir, 'config');
      await writeFile(
        config,
        `Host mine\nHostName 127.0.0.1\nPort ${sshd.port}\nUser root\nIdentityFile ${sshd.dir}/user_key\n`,
      );
      const { code, stdout } = await meshproof(
        'fleet',
        'import',
        '--ssh-config',
        config,
        '--known-hosts',
        known,
      );
      expect(code).toBe(0);
      await writeFile(join(sshd.dir, 'imported.toml'), stdout);
      const checked = await meshproof('fleet', 'check', join(sshd.dir, 'imported.toml'));
      expect(checked.stdout).toMatch(/^mine .* ± /m);
    });

    it.each([
      ['a file that is not there', ['check', '/no/such.toml'], /such\.toml: the inventory does not exist/],
      ['a host that is not listed', ['trust', 'FILE', 'nobody'], /has no host "nobody": expected here, gone/],
      [
        'a fingerprint that is none',
        ['trust', 'FILE', 'here', '--fingerprint', 'abc'],
        /--fingerprint: "abc" is not/,
      ],
      ['an import of nothing', ['import'], /say --ssh-config FILE, --known-hosts FILE, or both/],
    ])('refuse %s with one line and exit code 64', async (_what, args, message) => {
      const { code, stderr } = await meshproof('fleet', ...args.map((arg) => (arg === 'FILE' ? file : arg)));
      expect(code).toBe(64);
      expect(stderr.trim()).toMatch(message);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    });
  },
);
