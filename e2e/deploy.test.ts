import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Artifact, ensureArtifact } from '../harness/deploy/artifact.ts';
import type { DeployReport } from '../harness/deploy/deploy-report.ts';
import { TestAgent } from '../harness/fleet/fixture-agent.ts';
import { type InventoryHost, readInventory } from '../harness/fleet/inventory.ts';
import { until } from '../kit/deadline.ts';
import { nextVersion } from './artifact-variant.ts';
import { DeployLab, told } from './deploy-lab.ts';
import {
  flippingOneByte,
  inPidNamespace,
  OPERATOR,
  rebooting,
  refusesToRun,
  WITH_RIGHTS,
  withoutSystemctl,
} from './deploy-obstacles.ts';
import { whyNoLab } from './own-lab.ts';
import { meshproof, startMeshproof } from './short-command.ts';

const ALL = ['lab1', 'lab2', 'lab3'];
const BUDGET = { timeout: 240_000 }; // calm it takes a tenth of that; the machine may be busy
const TRACES = `find /opt /var/lib -maxdepth 1 -name 'meshproof*'; find /etc/systemd /run/systemd -name 'meshproof*'
ls -d /etc/meshproof 2>/dev/null; grep -ho '^meshproof[^:]*' /etc/passwd /etc/group
for exe in /proc/[0-9]*/exe; do readlink $exe; done | grep /opt/`;
const RUNNING = `pid=$(systemctl show meshproof-node -p MainPID --value); [ "$pid" = 0 ] || readlink /proc/$pid/exe | cut -d/ -f5`;

const reason = await whyNoLab();

describe.skipIf(reason !== undefined)(
  `deploying to three systemd machines${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let lab: DeployLab; // still undefined in `afterAll` when it did not come up
    let first: Artifact;
    let second: Artifact;
    beforeAll(async () => {
      lab = await DeployLab.up(ALL.length);
      first = await ensureArtifact('linux-x64');
      second = await nextVersion(first, lab.home);
    }, 120_000);
    afterAll(async () => await lab?.[Symbol.asyncDispose](), 60_000);

    /** What the kernel says that each node runs. */
    const running = () => Promise.all(ALL.map((host) => lab.on(host, RUNNING)));
    const flags = () => ['--inventory', lab.inventory, '--operator-key', lab.operatorKey];

    it(
      'refuses hosts that cannot carry it, each for its own reason, and changes nothing there',
      BUDGET,
      async () => {
        await lab.on(
          'lab1',
          'systemd-run --quiet --unit=squatter systemd-socket-activate -d -l 6483 /bin/cat',
        );
        await lab.on('lab3', 'mount -t tmpfs -o size=50m none /opt');
        const dryRun = await meshproof('deploy', '--dry-run', ...flags());
        expect(dryRun.stdout).toMatch(
          /REFUSED DEPLOY_PORT_TAKEN: .*udp port 6483 is held by systemd-socket-/,
        );
        expect(dryRun.code).toBe(5);
        const report = await lab.deploy(first, { way: { lab2: inPidNamespace } });
        expect(told(report)).toEqual([
          'lab1 refused DEPLOY_PORT_TAKEN lab1: udp port 6483 is held by systemd-socket-* (pid *)',
          'lab2 refused DEPLOY_NO_SYSTEMD lab2: its process 1 is sh, not systemd; expected systemd * or later',
          'lab3 refused DEPLOY_DISK_FULL lab3: * MB free on the disk of /opt/meshproof, * MB needed',
        ]);
        expect(told(await lab.deploy(first, { hosts: ['lab2'], way: { lab2: withoutSystemctl } }))).toEqual([
          'lab2 refused DEPLOY_NO_SYSTEMD lab2: systemctl cannot be run there; expected systemd * or later',
        ]);
        const foreign = { ...first, manifest: { ...first.manifest, platform: 'linux-arm64' as const } };
        expect(told(await lab.deploy(foreign, { hosts: ['lab2'] }))).toEqual([
          'lab2 refused DEPLOY_WRONG_MACHINE lab2: is Linux x86_*; the artifact is for Linux aarch*',
        ]);
        expect(await Promise.all(ALL.map((host) => lab.on(host, TRACES)))).toEqual(['', '', '']);
        await lab.on('lab1', 'systemctl stop squatter');
        await lab.on('lab3', 'umount /opt');
      },
    );

    it(
      'keeps out of hosts whose way is barred, and installs on one behind another, by agent and sudo',
      BUDGET,
      async () => {
        const [bastion] = (await readInventory(lab.inventory)).hosts;
        await using agent = await TestAgent.start(lab.keyFile);
        vi.stubEnv('SSH_AUTH_SOCK', agent.socket);
        await Promise.all([lab.on('lab1', OPERATOR), lab.on('lab3', `${OPERATOR}\n${WITH_RIGHTS}`)]);
        const behind = {
          user: existsSync('/usr/bin/sudo') ? 'ops' : 'root', // the hosts have what this machine has
          identity: { agent: true },
          proxyCommand: null,
          jump: bastion?.ssh ?? null,
        } as const;
        const report = await lab.deploy(first, {
          inventory: {
            lab1: (host) => ({ ...host, ssh: { ...host.ssh, user: 'ops' } }),
            lab2: (host) => ({ ...host, ssh: { ...host.ssh, hostKey: `SHA256:${'A'.repeat(43)}` } }),
            lab3: (host) => ({ ...host, ssh: { ...host.ssh, ...behind } }),
          },
        });
        vi.unstubAllEnvs();
        expect(told(report)).toEqual([
          expect.stringMatching(/^lab1 unreachable HOST_SUDO lab1: ops cannot be root here: .*sudo/),
          expect.stringMatching(/^lab2 unreachable HOST_KEY_CHANGED lab2: .*SHA\*/),
          'lab3 installed',
        ]);
        expect(await running()).toEqual(['', '', first.digest]);
      },
    );

    it('says that the disk filled up under the upload, and leaves no part of it there', BUDGET, async () => {
      await lab.on(
        'lab1',
        'mkdir -p /opt/meshproof/incoming; mount -t tmpfs -o size=20m none /opt/meshproof/incoming',
      );
      const report = await lab.deploy(first, { hosts: ['lab1'] });
      expect(told(report)).toEqual([
        expect.stringMatching(/^lab1 failed DEPLOY_DISK_FULL lab1: .*No space left/),
      ]);
      expect(await lab.on('lab1', 'find /opt/meshproof/incoming -size +1M; ls /opt/meshproof/versions')).toBe(
        '',
      );
      await lab.on('lab1', 'umount /opt/meshproof/incoming');
    });

    it(
      'installs on the others when one of three is dead, and on that one when it is back',
      BUDGET,
      async () => {
        await lab.on('lab2', 'systemctl poweroff --force --force');
        const without = await lab.deploy(first);
        expect(told(without)).toEqual([
          'lab1 installed',
          expect.stringMatching(/^lab2 unreachable HOST_(UNREACHABLE|TIMEOUT) lab2: /),
          'lab3 unchanged',
        ]);
        expect([without.acknowledged, without.pairs, without.problems]).toEqual([2, 2, []]);
        await lab.raise();
        const whole = await lab.deploy(first);
        expect(told(whole)).toEqual(['lab1 unchanged', 'lab2 installed', 'lab3 unchanged']);
        expect([whole.acknowledged, whole.pairs]).toEqual([6, 6]);
        expect(await running()).toEqual(ALL.map(() => first.digest));
      },
    );

    it('mends a program and a configuration that were changed on a host', BUDGET, async () => {
      const files = `/opt/meshproof/versions/${first.digest}/signing-worker.js /etc/meshproof/node.toml`;
      const digests = await lab.on('lab1', `sha256sum ${files}`);
      await lab.on('lab1', `for file in ${files}; do echo evil >> $file; done`);
      expect(told(await lab.deploy(first))).toEqual(['lab1 upgraded', 'lab2 unchanged', 'lab3 unchanged']);
      expect(await lab.on('lab1', `sha256sum ${files}`)).toBe(digests);
    });

    it(
      'notices a byte that changed on the way, and what ran before still runs everywhere',
      BUDGET,
      async () => {
        const report = await lab.deploy(second, { way: { lab2: flippingOneByte } });
        expect(told(report)).toEqual([
          'lab1 not_attempted',
          expect.stringMatching(/^lab2 failed DEPLOY_UPLOAD_CORRUPTED lab2: could not install the artifact/),
          'lab3 not_attempted',
        ]);
        expect(
          await lab.on('lab2', 'ls -A /opt/meshproof/versions; ls -A /opt/meshproof/incoming | grep tar'),
        ).toBe(first.digest);
        expect(await running()).toEqual(ALL.map(() => first.digest));
      },
    );

    it(
      'rolls a host back that does not come up with the next version, and leaves the one behind it alone',
      BUDGET,
      async () => {
        await lab.on('lab2', refusesToRun(second));
        const report = await lab.deploy(second);
        expect(told(report)).toEqual([
          'lab1 upgraded',
          expect.stringMatching(/^lab2 rolled_back DEPLOY_UNIT_FAILED lab2: systemctl restart: /),
          'lab3 not_attempted',
        ]);
        expect(await running()).toEqual([second.digest, first.digest, first.digest]);
        expect([report.acknowledged, report.pairs, report.problems]).toEqual([6, 6, []]);
        await lab.on('lab2', 'rm -r /etc/systemd/system/meshproof-node.service.d; systemctl daemon-reload');
      },
    );

    it(
      'upgrades the rest host by host while the others go on serving, and keeps a second deployment off',
      BUDGET,
      async () => {
        let changing: string | undefined;
        let other: Promise<DeployReport> | undefined;
        const otherwise = (host: InventoryHost) => ({ ...host, apiPort: host.apiPort + 1 });
        const traffic = await lab.startTraffic(() => changing);
        const report = await lab.deploy(second, {
          tell: (event) => {
            if (event.event === 'outcome') changing = undefined;
            else if (event.text.startsWith('change over')) changing = event.host;
            if (changing === 'lab2')
              other ??= lab.deploy(second, { hosts: ['lab3'], inventory: { lab3: otherwise } });
          },
        });
        const { sent, lost } = await traffic.stop();
        expect(told(report)).toEqual(['lab1 unchanged', 'lab2 upgraded', 'lab3 upgraded']);
        expect(lost).toEqual([]);
        expect(sent.lab2).toBeGreaterThan(0); // while lab2 was being changed
        expect(sent.lab3).toBeGreaterThan(0);
        expect(told((await other) ?? report)).toEqual([
          expect.stringMatching(/^lab3 failed DEPLOY_LOCKED lab3: another deployment /),
        ]);
        expect(await running()).toEqual(ALL.map(() => second.digest));
      },
    );

    it(
      'says that a host was rebooted under the deployment, and brings back there what ran before',
      BUDGET,
      async () => {
        const report = await lab.deploy(first, {
          way: { lab2: rebooting(() => lab.on('lab2', 'systemctl reboot --force --force')) },
        });
        expect(told(report)).toEqual([
          'lab1 upgraded',
          expect.stringMatching(/^lab2 rolled_back HOST_REBOOTED lab2: was restarted meanwhile/),
          'lab3 not_attempted',
        ]);
        expect(await running()).toEqual([first.digest, second.digest, second.digest]);
      },
    );

    it('verifies the host in hand when Ctrl-C ends it, and begins no other', BUDGET, async () => {
      const deploying = await deployUntil('lab2: change over');
      process.kill(-deploying.pid, 'SIGINT'); // as a terminal does: to everything that runs in it
      const { code, stdout } = await deploying.ended;
      expect(stdout).toMatch(
        /^lab1 +unchanged.*\nlab2 +upgraded.*\nlab3 +not attempted.*\nNOT as asked for/m,
      );
      expect(code).toBe(4);
      expect(await running()).toEqual([first.digest, first.digest, second.digest]);
    });

    it('finishes in a second deployment what a killed one began', BUDGET, async () => {
      const killed = await deployUntil('lab3: change over');
      process.kill(killed.pid, 'SIGKILL');
      await killed.ended;
      const { code, stdout, stderr } = await meshproof('deploy', ...flags());
      expect(stdout, stderr).toMatch(/^as asked for: 3 of 3 hosts .*; 6 of 6 directed connections/m);
      expect(code).toBe(0);
      expect(await running()).toEqual(ALL.map(() => first.digest));
    });

    /** Starts the command, and waits until it says `words`. */
    async function deployUntil(words: string) {
      const started = startMeshproof('deploy', ...flags());
      const heard = () => started.said.stderr.includes(words) || undefined;
      await until(words, heard, { budgetMs: BUDGET.timeout, everyMs: 5 });
      return started;
    }

    it('follows the journals until Ctrl-C, and leaves no reader behind', BUDGET, async () => {
      const logs = startMeshproof('logs', '--follow', '--lines', '1', '--inventory', lab.inventory);
      const heard = () => ALL.every((host) => logs.said.stdout.includes(`${host}  `)) || undefined;
      await until('a line of each', heard, { budgetMs: BUDGET.timeout });
      process.kill(-logs.pid, 'SIGINT');
      const { code, stderr } = await logs.ended;
      expect(code, stderr).toBe(0);
      expect(stderr).not.toMatch(/meshproof: /);
      await until(
        'the readers to end',
        async () =>
          (await lab.on('lab1', 'cat /proc/[0-9]*/comm | grep -x journalctl')) === '' ? true : undefined,
        { budgetMs: 20_000 },
      );
    });

    it('removes everything, proves it, and says what it could not remove', BUDGET, async () => {
      await lab.on('lab1', `mount -t tmpfs none /opt/meshproof/releases`);
      const stuck = await meshproof('cleanup', '--yes', '--inventory', lab.inventory);
      expect(stuck.stdout).toMatch(/^lab1 {2}not cleaned\n {2}DEPLOY_STEP_FAILED .*busy/m);
      expect(stuck.stdout).toMatch(/^lab2 {2}clean: /m);
      expect(stuck.code).toBe(5);
      await lab.on('lab1', 'umount /opt/meshproof/releases');
      expect((await meshproof('cleanup', '--yes', '--inventory', lab.inventory)).code).toBe(0);
      expect(await Promise.all(ALL.map((host) => lab.on(host, TRACES)))).toEqual(['', '', '']);
    });
  },
);
