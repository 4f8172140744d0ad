import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sshdMissing, TestSshd } from './fixture-sshd.ts';
import type { Terminal } from './terminal.ts';
import { trustHost } from './trust-host.ts';

const missing = sshdMissing();
const { signal } = new AbortController();
const OTHER = `SHA256:${'x'.repeat(43)}`;

describe.skipIf(missing !== null)(
  `trusting a host${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    let sshd: TestSshd;
    let file: string;
    let shown: string;
    let before: string;

    beforeAll(async () => {
      sshd = await TestSshd.start();
      file = join(sshd.dir, 'fleet.toml');
      shown = (await sshd.target()).hostKey ?? '';
      before = `# ours\nformat = "meshproof.inventory.v1"\n\n[[host]]\nname = "a" # first\naddress = "127.0.0.1"
port = ${sshd.port}\nuser = "nobody-here"\nkey = "/no/such/key"\n`;
    });
    beforeEach(() => writeFile(file, before));
    afterAll(() => sshd?.[Symbol.asyncDispose]());

    const trust = (expected: string | null, terminal: Terminal | null = null) =>
      trustHost({ file, name: 'a', expected }, terminal, signal);
    const answering = (answer: string) => {
      const asked: string[] = [];
      const ask = async (question: string) => {
        asked.push(question);
        return answer;
      };
      return { terminal: { ask }, asked };
    };

    it('needs neither user nor key, and records the fingerprint that was said', async () => {
      expect(await trust(shown)).toEqual({ fingerprint: shown, outcome: 'recorded' });
      expect(await readFile(file, 'utf8')).toBe(
        before.replace('# first\n', `# first\nhost_key = "${shown}"\n`),
      );
      expect(await trust(shown)).toMatchObject({ outcome: 'pinned already' });
    });

    it('asks the person at the terminal, and shows what is to be trusted', async () => {
      const { terminal, asked } = answering('y');
      await trust(null, terminal);
      expect(asked).toEqual([`a shows ssh-ed25519 ${shown}. Trust it? [y/N] `]);
      expect(await readFile(file, 'utf8')).toContain(shown);
    });

    it('shows the old key beside a new one', async () => {
      await writeFile(file, before.replace('# first\n', `# first\nhost_key = "${OTHER}"\n`));
      const { terminal, asked } = answering('yes');
      await trust(null, terminal);
      expect(asked[0]).toContain(`${shown}, in place of ${OTHER}`);
    });

    it.for([
      ['another fingerprint is expected', OTHER, null, 'HOST_KEY_NOT_EXPECTED'],
      ['the person says no', null, answering('n').terminal, 'HOST_KEY_NOT_CONFIRMED'],
      ['the person says nothing', null, answering('').terminal, 'HOST_KEY_NOT_CONFIRMED'],
      ['nobody can be asked', null, null, 'HOST_KEY_NOT_CONFIRMED'],
    ] as const)('changes nothing when %s', async ([, expected, terminal, code]) => {
      await expect(trust(expected, terminal)).rejects.toMatchObject({ code });
      expect(await readFile(file, 'utf8')).toBe(before);
    });

    it('does not call a pinned key good when another one is expected', async () => {
      await trust(shown);
      await expect(trust(OTHER)).rejects.toMatchObject({ code: 'HOST_KEY_NOT_EXPECTED' });
    });
  },
);
