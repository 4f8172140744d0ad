import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { duringVisit, enterCommand, namesOfCapabilities } from './enter-host.ts';

describe('entering a host', () => {
  it('names capabilities by their bits, as setpriv takes them', () => {
    expect(namesOfCapabilities('0000000000001003')).toEqual(['cap_0', 'cap_1', 'cap_12']);
    expect(namesOfCapabilities('0000000000000000')).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    'bounds the rights by those of the process it goes through',
    async () => {
      const command = await enterCommand(process.pid, ['true']);
      const at = command.indexOf('--bounding-set');
      expect(command.slice(0, 3)).toEqual(['nsenter', '--target', `${process.pid}`]);
      expect(command[at + 1]).toMatch(/^-all(,\+cap_\d+)*$/);
      expect(command.at(-1)).toBe('true');
    },
  );

  it('goes nowhere when the host has gone', async () => {
    await expect(enterCommand(4_194_305, ['true'])).rejects.toThrow(/switched off/); // above the kernel's largest pid
  });
});

describe.skipIf(!existsSync('/usr/bin/perl') || process.platform !== 'linux')(
  'a visit to a host that goes off',
  () => {
    const started: ChildProcess[] = [];
    let home: string | undefined;
    afterEach(async () => {
      for (const child of started.splice(0)) child.kill('SIGKILL');
      if (home !== undefined) await rm(home, { recursive: true, force: true });
    });

    /** What a host runs last, in name: it ends when it is told that a process has ended. */
    async function shutDown(): Promise<{ pid: number; ended: Promise<unknown[]> }> {
      home = await mkdtemp(join(tmpdir(), 'meshproof-shutdown-'));
      const program = join(home, 'systemd-shutdown');
      await copyFile('/usr/bin/perl', program);
      const script = '$| = 1; $SIG{CHLD} = sub { exit 7 }; print "waiting\\n"; sleep 60';
      const child = spawn(program, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      started.push(child);
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      return { pid: child.pid ?? Number.NaN, ended };
    }

    it('is not begun', async () => {
      const { pid } = await shutDown();
      await expect(enterCommand(pid, ['true'])).rejects.toMatchObject({
        code: 'HOST_OFF',
        message: expect.stringContaining('shutting down'),
      });
    });

    it('goes on when it was stopped, and the host is told of its end', async () => {
      const host = await shutDown();
      const visit = spawn('sleep', ['0.1'], { stdio: 'ignore' });
      started.push(visit);
      visit.kill('SIGSTOP');
      expect(await duringVisit(host.pid, visit, once(visit, 'exit'))).toEqual([0, null]);
      expect(await host.ended).toEqual([7, null]);
    });

    it('tells nobody of its end when the host stays, or has gone', async () => {
      const visit = spawn('sleep', ['0.1'], { stdio: 'ignore' });
      started.push(visit);
      expect(await duringVisit(process.pid, visit, once(visit, 'exit'))).toEqual([0, null]);
      expect(await duringVisit(4_194_305, visit, Promise.resolve('ended'))).toBe('ended');
    });
  },
);
