import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../kit/deadline.ts';
import { plantImpostor } from '../impostor.ts';
import { isLongForm } from '../long-form.ts';
import { MeshproofProcess } from '../meshproof-process.ts';
import { inside, makeLabsHome, removeLabsHome, whyNoLab } from '../own-lab.ts';
import { allText, commandLines, secretsOf } from '../secret-hunt.ts';
import { timed } from '../short-command.ts';

const HOSTS = ['lab1', 'lab2', 'lab3', 'lab4', 'lab5', 'lab6'];
const STEP_BUDGET_MS = 200_000;
const FROM_ZERO_MS = 240_000;
const LEASE_MS = 15_000;
const NODE = '/opt/meshproof/current/program/bin/node';
const FAULTS = `${NODE} /opt/meshproof/current/program/faults.js`;
/** What faults leave, found without any code of the fault program. */
const LOOK = `nft list tables | grep meshproof; tc qdisc show | grep 6d70
  systemctl list-units --all --plain --no-legend 'meshproof-undo*' 'meshproof-outsiders*'; pgrep -af '[f]aults.js|[o]utsiders.js'; true`;

/** The version that each process runs, and all that a deployment left on the disk. */
const RUNNING = `for unit in meshproof-node meshproof-runner; do readlink /proc/$(systemctl show $unit -p MainPID --value)/exe; done`;
const DEPLOYMENT = `${RUNNING}; cd /opt/meshproof; ls -A incoming versions releases; readlink current previous; true`;
const HARM = ['--allow-partition', '--allow-restart-storm', '--environment', 'lab', '--stop-on', 'none'];

const reason = await whyNoLab();

describe.skipIf(reason !== undefined)(
  `runs over SSH on a lab of six${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let home: string;
    let own: string;
    let dir: string;
    let onHosts: readonly string[];
    const stages: string[] = [];
    const logs: string[] = [];

    /** One stage that an operator would do, with its time. */
    async function step(name: string, ...args: readonly string[]) {
      const ended = await timed(STEP_BUDGET_MS, ...args);
      stages.push(`${name} ${(ended.tookMs / 1_000).toFixed(1)} s`);
      logs.push(ended.stdout, ended.stderr);
      return ended;
    }
    const startRun = (...args: readonly string[]) =>
      MeshproofProcess.start('run', ...onHosts, '--telemetry-secs', '10', ...args);
    const looks = async () => (await Promise.all(HOSTS.map((host) => inside(dir, host, LOOK)))).join('');

    const onEach = (script: string) => Promise.all(HOSTS.map((host) => inside(dir, host, script)));
    const deployments = () => onEach(DEPLOYMENT);
    const running = () => onEach(RUNNING);

    beforeAll(async () => {
      home = await makeLabsHome();
      own = await mkdtemp(join(tmpdir(), 'meshproof-e2e-over-ssh-'));
      dir = join(home, 'lab');
    });
    afterAll(async () => {
      process.stdout.write(`${stages.join(', ')}\n`);
      await removeLabsHome(home);
      await rm(own, { recursive: true, force: true });
    }, 60_000);

    it('from zero, a lab is raised, deployed to, and is a GO with 30 of 30 pairs', {
      timeout: 600_000,
    }, async () => {
      const startMs = performance.now();
      const up = await step('lab up', 'lab', 'up', '--hosts', '6', '--dir', dir);
      expect(up.code, up.stderr).toBe(0);
      expect((await step('lab links', 'lab', 'links', '--profile', 'direct', '--dir', dir)).code).toBe(0);
      const inventory = join(dir, 'inventory.toml');
      onHosts = ['--inventory', inventory, '--operator-key', join(own, 'operator.key')];
      const deployed = await step('deploy', 'deploy', ...onHosts);
      expect(deployed.code, deployed.stderr + deployed.stdout).toBe(0);
      const runMs = performance.now();
      await using run = await startRun('--scenarios', 'baseline,fanout_burst');
      expect(await run.exit(STEP_BUDGET_MS), run.told()).toBe(0);
      stages.push(`run ${((performance.now() - runMs) / 1_000).toFixed(1)} s`);
      expect(run.events.findLast((event) => event.event === 'pairs_delivered')).toMatchObject({
        pairs: { length: 30 },
      });
      expect(await readFile(join(run.proofDir, 'plan.json'), 'utf8')).toMatch(
        /planned-links\.v1",\s*"name":\s*"direct"/,
      );
      const journal = await readFile(join(run.proofDir, 'journal.ndjson'), 'utf8');
      for (const type of ['host_preflight', 'program_seen']) {
        expect(journal.split(`"record":{"type":"${type}"`).length - 1, type).toBe(HOSTS.length);
      }
      expect(performance.now() - startMs).toBeLessThan(FROM_ZERO_MS);
    });

    it('the same artifact is deployed again in less than 15 s, and nothing is restarted', {
      timeout: 60_000,
    }, async () => {
      const pids = () => inside(dir, 'lab2', 'systemctl show -p MainPID --value meshproof-node.service');
      const before = await pids();
      const again = await step('second deploy', 'deploy', ...onHosts);
      expect(again.code, again.stderr + again.stdout).toBe(0);
      expect(again.tookMs).toBeLessThan(15_000);
      expect(await pids()).toBe(before);
    });

    it('harm is felt, gone, and recovered from; hosts get their own release back, outsiders are not felt; no secret is shown', {
      timeout: 300_000,
    }, async () => {
      const secrets = await secretsOf(dir, HOSTS, join(own, 'operator.key'));
      expect(secrets.length).toBe(1 + 1 + HOSTS.length * 4);
      const before = await deployments();
      await using run = await startRun(
        ...['--scenarios', 'baseline,partition_recovery,restart_storm,rolling_upgrade,bad_external_peer'],
        ...[...HARM, '--outsider-kinds', 'garbage,stranger', '--attack-secs', '2'],
        ...[
          '--restart-count',
          '2',
          '--partition-pair',
          'lab5,lab6',
          '--block-secs',
          '5',
          '--heal-secs',
          '30',
        ],
        ...['--upgrade-nodes', 'lab5,lab6'],
      );
      const watching = new AbortController();
      const seen = commandLines(watching.signal);
      expect(await run.exit(STEP_BUDGET_MS), run.told()).toBe(0);
      for (const kind of ['cut', 'restart']) {
        await run.event('fault_state', (fault) => fault.kind === kind && fault.state === 'gone');
      }
      await run.event('fault_state', ({ kind, state }) => kind === 'cut' && state === 'bites');
      watching.abort();
      const journal = await readFile(join(run.proofDir, 'journal.ndjson'), 'utf8');
      const staged = journal.matchAll(/"type":"upgrade_staged".*?"node":"(\w+)"/g);
      expect([...staged].map(([, node]) => node)).toEqual(['lab5', 'lab6']);
      expect(journal).toMatch(/"name":"attempts".*"why":"garbage from lab\d: /);
      expect(await deployments()).toEqual(before);
      expect(await looks()).toBe('');
      expect((await step('doctor', 'doctor', ...onHosts.slice(0, 2))).code).toBe(0);

      const places: readonly (readonly [place: string, text: string, shows: string])[] = [
        ['process lists', await seen, 'faults.js'],
        ['proof', await allText(run.proofDir), 'program_seen'],
        ['what was printed', [...logs, run.stderr, run.told()].join('\n'), 'lab6'],
        ...(await Promise.all(
          HOSTS.map(async (host) => {
            const journal = await inside(dir, host, 'journalctl --no-pager -o export | strings');
            return [`journal of ${host}`, journal, 'meshproof-node.service'] as const;
          }),
        )),
      ];
      for (const [place, text, shows] of places) {
        expect(text.includes(shows), `${place} was read`).toBe(true);
        expect(
          secrets.filter(({ value }) => text.includes(value)).map(({ name }) => name),
          place,
        ).toEqual([]);
      }
    });

    it('a harness that is killed in the middle of a cut leaves clean hosts', {
      timeout: 180_000,
    }, async () => {
      await inside(dir, 'lab6', 'nft add table inet somebody');
      await using run = await startRun(
        ...['--scenarios', 'baseline,partition_recovery', '--partition-pair', 'lab5,lab6'],
        ...['--block-secs', '60', ...HARM],
      );
      await run.event('fault_state', ({ state }) => state === 'bites', STEP_BUDGET_MS);
      expect(await inside(dir, 'lab6', LOOK)).toMatch(/table inet meshproof_.*\n(.*\n)*.*faults\.js/);
      run.child.kill('SIGKILL');
      await until('every host to be clean', async () => ((await looks()) === '' ? true : undefined), {
        budgetMs: LEASE_MS + 5_000,
        everyMs: 500,
      });
      expect(await inside(dir, 'lab6', 'nft list tables')).toContain('table inet somebody');
    });

    it('doctor names what another run left, heals exactly that, and says so by its exit code', async () => {
      const lease = {
        ...{ run_id: 'other-run', lease_id: 'left', kind: 'cut', ttl_ms: 600_000 },
        ...{ peers: ['203.0.113.9'], larger_than_bytes: null },
      };
      await inside(dir, 'lab3', `echo '${JSON.stringify({ lease })}' | ${FAULTS} apply`);
      const doctor = (...args: readonly string[]) =>
        step('doctor', 'doctor', ...onHosts.slice(0, 2), ...args);
      const found = await doctor();
      expect(found).toMatchObject({
        code: 6,
        stdout: expect.stringMatching(/lab3 {2}standing\n.*other-run/),
      });
      expect(await doctor('--heal')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('lab3  healed'),
      });
      expect(await doctor()).toMatchObject({ code: 0 });
      expect(await looks()).toBe('');
      await inside(dir, 'lab6', 'nft delete table inet somebody');
    });

    it.runIf(isLongForm)(
      'a harness that is killed in the middle of an upgrade leaves two versions: run refuses them, deploy mends them',
      {
        timeout: 240_000,
      },
      async () => {
        const before = await running();
        const env = { ...process.env, TMPDIR: own }; // it is not given the time to tidy up
        const killed = [
          ...onHosts,
          ...HARM,
          '--scenarios',
          'baseline,rolling_upgrade',
          '--upgrade-nodes',
          'lab5',
        ];
        await using run = await MeshproofProcess.startWith({ env }, 'run', ...killed);
        await run.event('fault_state', ({ state }) => state === 'applied', STEP_BUDGET_MS);
        run.child.kill('SIGKILL');
        const refused = await step('refused', 'run', ...onHosts, '--scenarios', 'baseline');
        expect(refused.stderr).toMatch(/ on lab1, .* on lab5; "meshproof deploy" .*BUNDLES_DIFFER/);
        expect(refused.code).toBe(5);
        expect((await step('deploy', 'deploy', ...onHosts)).code).toBe(0);
        expect(await running()).toEqual(before);
      },
    );

    it.runIf(isLongForm)(
      "a connection that is cut under a run is the control plane's, and the node is never blamed",
      {
        timeout: 180_000,
      },
      async () => {
        const burst = ['--burst-messages', '20', '--burst-delay-ms', '250'];
        await using run = await startRun('--scenarios', 'baseline,fanout_burst', ...burst);
        await run.event('scenario_started', ({ scenario }) => scenario === 'fanout_burst', STEP_BUDGET_MS);
        await inside(dir, 'lab4', 'kill -9 $(pgrep -f "^sshd: .*@" )');
        expect([0, 2], run.told()).toContain(await run.exit(STEP_BUDGET_MS));
        expect((await run.event('judged')).reasons.join('\n')).not.toMatch(/NO-GO/);
      },
    );

    it.runIf(isLongForm)(
      'a way that stays lost during the matrix is INCONCLUSIVE, and neither NO-GO nor a lost node',
      {
        timeout: 240_000,
      },
      async () => {
        const lostSoon = ['--stop-on', 'lost-node', '--telemetry-secs', '2'];
        await using run = await startRun('--scenarios', 'baseline,fanout_burst', ...lostSoon);
        try {
          await run.event('scenario_started', ({ scenario }) => scenario === 'baseline', STEP_BUDGET_MS);
          await inside(dir, 'lab4', 'systemctl stop ssh.socket ssh.service; kill -9 $(pgrep "^sshd")');
          await run.event('control_lost', ({ node }) => node === 'lab4');
          const sinceLoss = run.events.length;
          const silent = () =>
            run.events
              .slice(sinceLoss)
              .filter((event) => event.event === 'sampled' && event.unreadable.includes('lab4 (all)'));
          await until('four silent rounds', () => (silent().length >= 4 ? true : undefined), {
            budgetMs: 60_000,
          });
        } finally {
          await inside(dir, 'lab4', 'systemctl start ssh.service');
        }
        expect(await run.exit(STEP_BUDGET_MS), run.told()).toBe(2);
        expect(run.find('stopped'), run.told()).toBeUndefined();
        const { reasons } = await run.event('judged');
        expect(reasons.join('\n')).not.toMatch(/NO-GO/);
        expect(reasons.join('\n')).toMatch(/the way to lab4 was lost/);
      },
    );

    it('a node that says it has joined and holds no UDP port fails by name', {
      timeout: 240_000,
    }, async () => {
      const apiPort = Number(
        /api_port = (\d+)/.exec(await readFile(join(dir, 'inventory.toml'), 'utf8'))?.[1],
      );
      const undo = await plantImpostor(dir, 'lab6', apiPort);
      try {
        const verified = await step('verify', 'deploy', '--verify-only', ...onHosts);
        expect(verified.code).toBe(5);
        expect(verified.stdout).toMatch(/QUIC_NOT_BOUND.*lab6/);
        await using run = await startRun('--scenarios', 'baseline');
        expect(await run.exit(STEP_BUDGET_MS), run.told()).toBe(5);
        expect((await run.event('fault')).message).toMatch(/lab6 has not bound UDP/);
      } finally {
        await undo();
      }
    });

    it.for([
      ['no key', 'HOST_KEY_UNKNOWN', ''],
      ['another key', 'HOST_KEY_CHANGED', `host_key = "SHA256:${'A'.repeat(43)}"\n`],
    ] as const)('a host with %s pinned is refused before anything is said to it', async ([, code, line]) => {
      const inventory = await readFile(join(dir, 'inventory.toml'), 'utf8');
      const at = inventory.indexOf('name = "lab3"');
      const changed = inventory.slice(0, at) + inventory.slice(at).replace(/host_key = .*\n/, line);
      const file = join(own, `${code}.toml`);
      await writeFile(file, changed);
      const args = ['--operator-key', join(own, 'operator.key'), '--scenarios', 'baseline'];
      const refused = await step('refused', 'run', '--inventory', file, ...args);
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(new RegExp(`lab3.*${code}`)) });
    });
  },
);
