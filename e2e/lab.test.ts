import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { linksOfLabRun } from '../harness/commands/links-of-run.ts';
import { readInventory } from '../harness/fleet/inventory.ts';
import { type LabHostStatus, lowerLab, openLab, statusOfLab } from '../harness/lab/containers/lab.ts';
import { claimLabDir } from '../harness/lab/containers/lab-dir.ts';
import { planLab } from '../harness/lab/containers/lab-plan.ts';
import { writeLabState } from '../harness/lab/containers/lab-state.ts';
import { until } from '../kit/deadline.ts';
import { traces } from './lab-traces.ts';
import { makeLabsHome, removeLabsHome, whyNoLab } from './own-lab.ts';
import { meshproof } from './short-command.ts';

const [CAP_NET_ADMIN, CAP_SYS_MODULE, CAP_SYS_TIME] = [12n, 16n, 25n]; // linux/capability.h
const UP_BUDGET_MS = 30_000;
const run = promisify(execFile);
const { signal } = new AbortController();

async function hostsOf(dir: string): Promise<readonly LabHostStatus[]> {
  return (await statusOfLab(dir, signal)).hosts;
}

const reason = await whyNoLab();

describe.skipIf(reason !== undefined)(
  `a lab of systemd machines${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let home: string;
    let dir: string;
    beforeAll(async () => {
      home = await makeLabsHome();
      dir = join(home, 'lab');
      const { code, stderr } = await meshproof('lab', 'up', '--hosts', '2', '--dir', dir);
      expect(stderr).toBe('');
      expect(code).toBe(0);
    });
    afterAll(() => removeLabsHome(home));

    it('is up: systemd has started all, and each host is reached by SSH as its inventory says', async () => {
      const hosts = await hostsOf(dir);
      expect(hosts.map(({ host, state, sshd }) => [host.name, state, sshd])).toEqual([
        ['lab1', 'running', 'answers'],
        ['lab2', 'running', 'answers'],
      ]);
      const { stdout } = await run('ssh', [
        '-F',
        join(dir, 'ssh_config'),
        'lab2',
        'hostname; systemctl is-active ssh sshd',
      ]);
      expect(stdout).toMatch(/^lab2\n.*active/);
    });

    it('has no address and no interface outside of its own namespaces', async () => {
      const outside = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
      const { gateway, network, hosts } = planLab(dir, 2);
      for (const address of [gateway, ...hosts.map((host) => host.address)]) {
        expect(outside.map((one) => one.address)).not.toContain(address);
      }
      const { stdout: inside } = await run('ip', ['-netns', network, '-brief', 'address']);
      expect(inside).toContain(gateway);
      expect((await run('ip', ['-brief', 'link'])).stdout).not.toMatch(/lab\d/);
    });

    it('shows its hosts neither this program nor a Node', async () => {
      const hidden = [process.cwd(), process.execPath, dir, '/root/.bashrc'];
      const script = 'for path; do [ -e "$path" ] && echo "$path"; done; command -v node npm; true';
      const argv = ['sh', '-c', script, 'sh', '/etc/passwd', ...hidden];
      const { stdout } = await meshproof('lab', 'exec', 'lab1', '--dir', dir, '--', ...argv);
      expect(stdout).toBe('/etc/passwd\n');
    });

    it('gives no root on a host, however entered, more rights than nspawn does: not the one to set the clock', async () => {
      const capabilities = ['grep', '^CapEff', '/proc/self/status'];
      const { stdout: entered } = await meshproof('lab', 'exec', 'lab1', '--dir', dir, '--', ...capabilities);
      const { stdout: bySsh } = await run('ssh', ['-F', join(dir, 'ssh_config'), 'lab1', ...capabilities]);
      expect(entered).toBe(bySsh);
      const effective = BigInt(`0x${/[0-9a-f]{16}/.exec(entered)?.[0]}`);
      const has = (capability: bigint) => (effective >> capability) & 1n;
      expect([has(CAP_NET_ADMIN), has(CAP_SYS_TIME), has(CAP_SYS_MODULE)]).toEqual([1n, 0n, 0n]);
    });

    it('runs a program on a host with its arguments as they are, and ends as it ends', async () => {
      const program = ['sh', '-c', 'printf "%s|" "$@"; exit 7', 'sh', 'a  b', '--json', '$HOME'];
      const { code, stdout } = await meshproof('lab', 'exec', 'lab1', '--dir', dir, '--', ...program);
      expect(stdout).toBe('a  b|--json|$HOME|');
      expect(code).toBe(7);
      const unknown = await meshproof('lab', 'exec', 'lab9', '--dir', dir, '--', 'true');
      expect(unknown.stderr).toMatch(/"lab9" is not one of lab1, lab2/);
      expect(unknown.code).toBe(64);
    });

    it('leaves what runs alone when it is brought up again, and starts a host that is off, with its disk', async () => {
      const before = await hostsOf(dir);
      const inventory = await readFile(join(dir, 'inventory.toml'), 'utf8');
      await meshproof('lab', 'exec', 'lab2', '--dir', dir, '--', 'touch', '/root/kept');
      await meshproof(
        'lab',
        'exec',
        'lab2',
        '--dir',
        dir,
        '--',
        'systemctl',
        'poweroff',
        '--force',
        '--force',
      );
      await until(
        'lab2 to be off',
        async () => ((await hostsOf(dir))[1]?.state === 'off' ? true : undefined),
        { budgetMs: UP_BUDGET_MS },
      );
      expect((await meshproof('lab', 'status', '--dir', dir)).code).toBe(5);

      expect((await meshproof('lab', 'up', '--dir', dir)).code).toBe(0);
      const after = await hostsOf(dir);
      expect(after[0]?.leaderPid).toBe(before[0]?.leaderPid);
      expect(after[1]?.leaderPid).not.toBe(before[1]?.leaderPid);
      expect(
        (await meshproof('lab', 'exec', 'lab2', '--dir', dir, '--', 'test', '-e', '/root/kept')).code,
      ).toBe(0);
      expect(await readFile(join(dir, 'inventory.toml'), 'utf8')).toBe(inventory);
    });

    it('lets a host reboot', async () => {
      const before = (await hostsOf(dir))[0]?.leaderPid;
      await meshproof('lab', 'exec', 'lab1', '--dir', dir, '--', 'systemctl', 'reboot');
      await until(
        'lab1 to be back',
        async () => {
          const host = (await hostsOf(dir))[0];
          return host?.state === 'running' && host.sshd === 'answers' && host.leaderPid !== before
            ? true
            : undefined;
        },
        { budgetMs: UP_BUDGET_MS },
      );
    });

    it('that was killed while it came up is finished by another `up` or removed by `down`, beside a lab that stays', async () => {
      const other = join(home, 'cut-off');
      const stages = [
        ['before its first host', async () => ((await has(other, '"raising"')) ? true : undefined)],
        ['with a host under way', async () => ((await has(other, 'supervisor')) ? true : undefined)],
      ] as const;
      for (const [when, reached] of stages) {
        const up = spawn(process.execPath, [
          inject('meshproof'),
          'lab',
          'up',
          '--hosts',
          '2',
          '--dir',
          other,
        ]);
        await until(`a lab ${when}`, reached, { budgetMs: UP_BUDGET_MS, everyMs: 5 });
        await killed(up);
        if (when === 'with a host under way') {
          expect((await traces(other)).length, when).toBeGreaterThan(0);
          expect(await meshproof('lab', 'up', '--dir', other)).toMatchObject({ stderr: '', code: 0 });
        }
        const { code, stderr } = await meshproof('lab', 'down', '--dir', other);
        expect(stderr).toBe('');
        expect(code).toBe(0);
        expect(await traces(other), when).toEqual([]);
        expect(existsSync(other)).toBe(false);
      }
      expect((await statusOfLab(dir, signal)).verdict).toBe('up');
    });

    it('lets a run say what its links are, and nobody change them until the run has ended', async () => {
      const inventory = await readInventory(join(dir, 'inventory.toml'));
      const links = (profile: string) => meshproof('lab', 'links', '--profile', profile, '--dir', dir);
      expect(await links('direct')).toMatchObject({ stderr: '', code: 0 });
      {
        await using held = await linksOfLabRun(inventory, signal);
        expect(held?.links).toMatchObject({ name: 'direct' });
        expect(await links('none')).toMatchObject({
          code: 5,
          stderr: expect.stringMatching(/a run is going on over the lab in/),
        });
        expect((await meshproof('lab', 'up', '--dir', dir)).code).toBe(0); // a host that died may come back
      }
      expect(await links('none')).toMatchObject({ stderr: '', code: 0 });
      await using held = await linksOfLabRun(inventory, signal);
      expect(held).toMatchObject({ links: undefined });
    });

    it('that says of its links what the kernel does not is no ground for a run', async () => {
      const { plan, state } = await openLab(dir);
      const text = `format = "meshproof.links.v1"\ndescription = "d"\nsource = "s"\n[default]\nrtt_ms = 9\n`;
      await writeLabState(plan, { ...state, links: { profile: { name: 'far', text }, stage: 'set' } });
      try {
        const refused = await meshproof('run', '--inventory', plan.inventoryFile);
        expect(refused.stderr).toMatch(
          /^meshproof: the way to lab1 has 0 queues of netem: expected 1, as links "far"/,
        );
        expect(refused.code).toBe(5);
      } finally {
        await writeLabState(plan, state);
      }
    });

    it('says what it lacks or refuses in one line', async () => {
      const cases: readonly (readonly [number, RegExp, readonly string[]])[] = [
        [64, /--hosts: "0" is not a whole number from 1 to/, ['up', '--hosts', '0']],
        [64, /has 2 hosts, more than 1: `lab down` first/, ['up', '--hosts', '1']],
        [64, /"nowhere" is no set of links; known: .*six-cities/, ['links', '--profile', 'nowhere']],
        [64, /say what to run/, ['exec', 'lab1']],
      ];
      for (const [code, line, args] of cases) {
        const told = await meshproof('lab', ...args, '--dir', dir);
        expect(told.stderr).toMatch(line);
        expect(told.stderr.trim().split('\n')).toHaveLength(1);
        expect(told.code).toBe(code);
      }
      await writeFile(join(home, 'mine'), '');
      await expect(claimLabDir(home)).rejects.toThrow(/is not empty and holds no lab/);
      await rm(join(home, 'mine'));
      const others = join(home, 'others');
      await mkdir(join(others, 'hosts'), { recursive: true });
      await writeFile(join(others, 'lab.json'), '{"experiments":[]}');
      await expect(lowerLab(others, signal)).rejects.toThrow(/lab\.json is no lab's: expected/);
      expect(await readdir(others)).toEqual(['hosts', 'lab.json']);
      await rm(others, { recursive: true });
      expect(await lowerLab(join(home, 'none'), signal)).toBe('none');
      await expect(statusOfLab(join(home, 'none'), signal)).rejects.toThrow(
        /there is no lab in .*`meshproof lab up`/,
      );
    });

    it('that is taken down leaves nothing, though somebody removed what it had written of itself', async () => {
      expect((await traces(dir)).length).toBeGreaterThan(0);
      await rm(join(dir, 'lab.json'));
      expect((await meshproof('lab', 'down', '--dir', dir)).code).toBe(0);
      expect(await traces(dir)).toEqual([]);
      expect(existsSync(dir)).toBe(false);
    });
  },
);

describe.skipIf(process.platform !== 'linux')('without root', () => {
  it('a lab is refused in one line that says what to do', async () => {
    const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const failure = await run(
      process.execPath,
      [inject('meshproof'), 'lab', 'up', '--dir', '/nonexistent/lab'],
      asNobody,
    ).catch((error: { code: number; stderr: string }) => error);
    expect(failure).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/^meshproof: .*needs root.*\n$/),
    });
  });
});

async function has(dir: string, text: string): Promise<boolean> {
  return (await readFile(join(dir, 'lab.json'), 'utf8').catch(() => '')).includes(text);
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
