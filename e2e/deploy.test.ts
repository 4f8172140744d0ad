import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Artifact, ensureArtifact, exportArtifact } from '../harness/deploy/artifact.ts';
import type { DeployReport } from '../harness/deploy/deploy-report.ts';
import { until } from '../kit/deadline.ts';
import { nextVersion } from './artifact-variant.ts';
import { DeployLab } from './deploy-lab.ts';
import {
  AS_OPERATOR_WITHOUT_RIGHTS,
  flippingOneByte,
  inPidNamespace,
  rebooting,
  refusesToRun,
  withoutSystemctl,
} from './deploy-obstacles.ts';
import { whyNoLab } from './own-lab.ts';
import { meshproof } from './short-command.ts';

const ALL = ['lab1', 'lab2', 'lab3'];
const BUDGET = { timeout: 240_000 }; // calm it takes a tenth of that; the machine may be busy
const TRACES = `find /opt /var/lib /etc/systemd/system /run/systemd/system -maxdepth 1 -name 'meshproof*'
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

    it('keeps out of hosts whose way is barred, and installs on the rest', BUDGET, async () => {
      await lab.on('lab1', AS_OPERATOR_WITHOUT_RIGHTS);
      const report = await lab.deploy(first, {
        inventory: {
          lab1: (host) => ({ ...host, ssh: { ...host.ssh, user: 'ops' } }),
          lab2: (host) => ({ ...host, ssh: { ...host.ssh, hostKey: `SHA256:${'A'.repeat(43)}` } }),
        },
      });
      expect(told(report)).toEqual([
        'lab1 unreachable HOST_SUDO lab1: ops cannot be root here: sudo: a password is required',
        expect.stringMatching(/^lab2 unreachable HOST_KEY_CHANGED lab2: .*SHA\*/),
        'lab3 installed',
      ]);
      expect(await running()).toEqual(['', '', first.digest]);
    });

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

    it('mends a file that lies damaged under the digest of the version', BUDGET, async () => {
      const file = `/opt/meshproof/versions/${first.digest}/signing-worker.js`;
      const digest = await lab.on('lab1', `sha256sum < ${file}`);
      await lab.on('lab1', `echo evil >> ${file}`);
      expect(told(await lab.deploy(first))).toEqual(['lab1 upgraded', 'lab2 unchanged', 'lab3 unchanged']);
      expect(await lab.on('lab1', `sha256sum < ${file}`)).toBe(digest);
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

    it('upgrades the rest host by host while the others go on serving', BUDGET, async () => {
      let changing: string | undefined;
      const traffic = await lab.startTraffic(() => changing);
      const report = await lab.deploy(second, {
        tell: (event) => {
          if (event.event === 'outcome') changing = undefined;
          else if (event.text.startsWith('change over')) changing = event.host;
        },
      });
      const { sent, lost } = await traffic.stop();
      expect(told(report)).toEqual(['lab1 unchanged', 'lab2 upgraded', 'lab3 upgraded']);
      expect(lost).toEqual([]);
      expect(sent.lab2).toBeGreaterThan(0); // while lab2 was being changed
      expect(sent.lab3).toBeGreaterThan(0);
      expect(await running()).toEqual(ALL.map(() => second.digest));
    });

    it('keeps a second deployment off the hosts while the first is at work', BUDGET, async () => {
      let other: Promise<DeployReport> | undefined;
      const report = await lab.deploy(first, {
        tell: (event) => {
          if (event.event === 'step' && event.text.startsWith('change over'))
            other ??= lab.deploy(first, { hosts: ['lab3'] });
        },
      });
      expect(told(report)).toEqual(['lab1 upgraded', 'lab2 upgraded', 'lab3 upgraded']);
      expect(told((await other) ?? report)).toEqual([
        expect.stringMatching(/^lab3 failed DEPLOY_LOCKED lab3: another deployment /),
      ]);
    });

    it('finishes in a second deployment what a killed one began', BUDGET, async () => {
      const file = await exportArtifact(second, lab.home);
      const args = ['bin/meshproof.mjs', 'deploy', ...flags(), '--artifact', file];
      const killed = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      killed.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await until('lab2 to be under change', () => (/lab2: change over/.test(said) ? true : undefined), {
        budgetMs: BUDGET.timeout,
        everyMs: 5,
      });
      killed.kill('SIGKILL');
      await once(killed, 'close');
      const { code, stdout, stderr } = await meshproof('deploy', ...flags(), '--artifact', file);
      expect(stdout, stderr).toMatch(/^as asked for: 3 of 3 hosts .*; 6 of 6 directed connections/m);
      expect(code).toBe(0);
      expect(await running()).toEqual(ALL.map(() => second.digest));
    });

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
        expect(told(await lab.deploy(first))).toEqual(['lab1 unchanged', 'lab2 upgraded', 'lab3 upgraded']);
      },
    );

    it('follows the journals until Ctrl-C, and leaves no reader behind', BUDGET, async () => {
      const follow = ['bin/meshproof.mjs', 'logs', '--follow', '--lines', '1', '--inventory', lab.inventory];
      const logs = spawn(process.execPath, follow, { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [logs.stdout, logs.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text;
        });
      const closed = once(logs, 'close');
      await until(
        'a line of each',
        () => (ALL.every((host) => said.includes(`${host}  `)) ? true : undefined),
        {
          budgetMs: BUDGET.timeout,
        },
      );
      logs.kill('SIGINT');
      expect((await closed)[0], said).toBe(0);
      expect(said).not.toMatch(/meshproof: /);
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

/** One line per host and problem, with figures of this machine and the moment left out. */
function told({ hosts }: DeployReport): readonly string[] {
  return hosts.map(({ host, outcome, problems }) =>
    [host, outcome, ...problems.flatMap(({ code, message }) => [code, withoutFigures(message)])].join(' '),
  );
}

const withoutFigures = (message: string) =>
  message
    .replaceAll(/(?<=\bpid |\bSHA|x86_|aarch|systemd |(?:^|[ ,:])(?=\d+ MB))\d+/g, '*')
    .replaceAll(/(systemd-socket-)\w*/g, '$1*');
