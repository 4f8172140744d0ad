import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureArtifact } from '../../harness/deploy/artifact.ts';
import { readInventory } from '../../harness/fleet/inventory.ts';
import { SshHost } from '../../harness/fleet/ssh-host.ts';
import { packedOutsidersProgram } from '../../harness/outsiders/program-file.ts';
import { SshOutsiders } from '../../harness/outsiders/ssh-outsiders.ts';
import { VirtualClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { DeployLab } from '../deploy-lab.ts';
import { isLongForm } from '../long-form.ts';
import { MeshproofProcess } from '../meshproof-process.ts';
import { whyNoLab } from '../own-lab.ts';
import { meshproof } from '../short-command.ts';

const BUDGET_MS = 120_000;
const { signal } = new AbortController();
/** An address of nobody, so that these outsiders harm no run beside them. */
const NOBODY = { name: 'nobody', meshAddress: '192.0.2.1', udpPort: 9 };
/** What outsiders could leave, found without any code of theirs. */
const REMAINS = `ls -d /run/meshproof-outsiders* /run/private/meshproof-outsiders* /run/systemd/transient/meshproof-outsiders* 2>/dev/null
systemctl list-units --all --plain --no-legend 'meshproof-outsiders*'
for exe in /proc/[0-9]*; do tr '\\0' ' ' <$exe/cmdline | grep -a 'outsiders\\.js'; done 2>/dev/null`;
const mainPid = (unit: string) => `systemctl show -p MainPID --value '${unit}'`;

const reason = await whyNoLab();

describe.skipIf(reason !== undefined || !isLongForm)(
  `outsiders on a host over SSH${reason ? ` (skipped: ${reason})` : ''}`,
  { timeout: BUDGET_MS + 30_000 },
  () => {
    let lab: DeployLab; // still undefined in `afterAll` when it did not come up
    const places: SshOutsiders[] = [];
    let spoken: string;
    let silent: Promise<unknown>;
    let hung: Promise<unknown>;
    let doctor: ReturnType<typeof meshproof>;

    beforeAll(async () => {
      lab = await DeployLab.up(3);
      const { hosts } = await lab.deploy(await ensureArtifact('linux-x64'));
      expect(hosts.map(({ outcome }) => outcome)).toEqual(['installed', 'installed', 'installed']);
      // What has to wait for its end does so beside the runs.
      silent = endOf(await joinNobody('silent', new VirtualClock())); // nobody speaks while this clock stands
      spoken = await joinNobody('spoken');
      const unit = await joinNobody('hung');
      const pid = await lab.on('lab2', mainPid(unit));
      expect(await lab.on('lab2', `grep -E '^(Uid|CapEff|NoNewPrivs)' /proc/${pid}/status`)).toMatch(
        /^Uid:\t[1-9]\d*\t.*\nCapEff:\t0+\nNoNewPrivs:\t1$/,
      );
      await lab.on('lab2', `kill -STOP ${pid}`);
      hung = endOf(unit);
      doctor = meshproof('doctor', '--inventory', lab.inventory);
    }, 180_000);
    afterAll(async () => {
      await Promise.allSettled(places.map((place) => place.close()));
      await lab?.[Symbol.asyncDispose]();
    }, 60_000);

    /** Starts one on lab2 that attacks nobody; gives the name of its unit. */
    async function joinNobody(runId: string, clock?: VirtualClock): Promise<string> {
      const entry = (await readInventory(lab.inventory)).hosts.find(({ name }) => name === 'lab2');
      if (entry === undefined) throw new Error('no lab2');
      const place = new SshOutsiders({
        runId,
        networkId: 'test',
        nodes: [NOBODY],
        host: new SshHost(entry.ssh),
        program: packedOutsidersProgram,
        ...(clock && { clock }),
      });
      places.push(place);
      await place.join({ kinds: ['silent'], targets: [NOBODY.name], seed: 1 }, signal);
      return `meshproof-outsiders-${runId}-1.service`;
    }

    function endOf(unit: string): Promise<true> {
      const isGone = async () => ((await lab.on('lab2', mainPid(unit))) === '0' ? true : undefined);
      return until(`the end of ${unit}`, isGone, { budgetMs: 60_000, everyMs: 500 });
    }

    const startRun = (...args: readonly string[]) =>
      MeshproofProcess.start(
        'run',
        ...['--inventory', lab.inventory, '--operator-key', lab.operatorKey, '--telemetry-secs', '10'],
        ...['--scenarios', 'baseline,bad_external_peer', '--settle-secs', '10', '--stop-on', 'none', ...args],
      );

    it('attack the mesh, which does not feel them; the proof tells from where, and nothing is left', async () => {
      await using run = await startRun('--outsider-kinds', 'garbage,stranger', '--attack-secs', '3');
      expect(await run.exit(BUDGET_MS), run.told()).toBe(0);
      const journal = await readFile(join(run.proofDir, 'journal.ndjson'), 'utf8');
      expect(journal).toMatch(/"name":"attempts".*"why":"garbage from lab3: /);
      expect(journal).toMatch(/"why":"stranger from lab3: .*\(WRONG_NETWORK\)/);
      expect(await lab.on('lab3', REMAINS)).toBe('');
    });

    it('end with a harness that is killed', async () => {
      await using run = await startRun('--outsider-kinds', 'silent', '--attack-secs', '600');
      const program = async () => {
        const pid = await lab.on('lab3', mainPid('meshproof-outsiders-*'));
        return (await lab.on('lab3', `readlink /proc/${pid || 0}/exe`)).endsWith('/bin/node') || undefined;
      };
      await until('the program of outsiders', program, { budgetMs: BUDGET_MS });
      run.child.kill('SIGKILL');
      const nothing = async () => ((await lab.on('lab3', REMAINS)) === '' ? true : undefined);
      await until('nothing of them', nothing, { budgetMs: 10_000 });
    });

    it('are seen by the doctor while they are there', async () => {
      const { code, stdout, stderr } = await doctor;
      expect(code, stderr).toBe(6);
      expect(stdout).toMatch(
        /lab2 +standing[\s\S]*outsiders meshproof-outsiders-hung-1\.service \(run hung\)/,
      );
    });

    it('end when the harness falls silent, and when they hang, though the connection stands', async () => {
      await Promise.all([silent, hung]);
      expect(await lab.on('lab2', mainPid(spoken))).not.toBe('0');
      await Promise.all(places.map((place) => place.close()));
      await until(
        'nothing of them',
        async () => ((await lab.on('lab2', REMAINS)) === '' ? true : undefined),
        {
          budgetMs: 5_000,
        },
      );
    });
  },
);
