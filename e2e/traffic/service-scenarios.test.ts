import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBundle } from '../../harness/deploy/bundle.ts';
import { BUNDLE_FILES } from '../../kit/bundle-digest.ts';
import { until } from '../../kit/deadline.ts';
import { MeshproofProcess } from '../meshproof-process.ts';
import { SideBySide } from '../side-by-side.ts';

const MESH = ['--local', '3', '--telemetry-secs', '2', '--settle-secs', '10', '--stop-on', 'none'];
/** A round of telemetry that outlives a moment in which the machine stands still: one that is lost is no GO. */
const PATIENT = ['--telemetry-secs', '10'];
const BUDGET_MS = 240_000;

const sideBySide = new SideBySide();
afterAll(() => sideBySide.close());
const argsFor = (scenarios: string, options: readonly string[]) => [
  ...MESH,
  '--allow-restart-storm',
  '--scenarios',
  `baseline,${scenarios}`,
  ...options,
];
const begin = (
  scenarios: string,
  options: readonly string[],
  meanwhile?: (run: MeshproofProcess) => Promise<void>,
) => sideBySide.begin(argsFor(scenarios, options), { budgetMs: BUDGET_MS, ...(meanwhile && { meanwhile }) });
type Run = ReturnType<typeof begin>;

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshproof-upgrade-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** The bundle that the nodes run, but for its node program. */
async function bundleWith(name: string, nodeProgram: string | null): Promise<string> {
  const { nodeEntry } = await ensureBundle();
  const dir = join(home, name);
  for (const file of BUNDLE_FILES) await cp(join(dirname(nodeEntry), file), join(dir, file));
  if (nodeProgram !== null) await writeFile(join(dir, BUNDLE_FILES[0]), nodeProgram);
  return dir;
}

describe('a mesh under traffic', { timeout: BUDGET_MS + 30_000 }, () => {
  let served: Run;
  let brokenBundle: Run;
  let sameBundle: Run;
  beforeAll(async () => {
    served = begin('rolling_upgrade,clock_skew,delayed_reader', ['--reader-delay-secs', '8', ...PATIENT]);
    const broken = await bundleWith('broken', 'process.exit(3);');
    const one = ['--upgrade-bundle', broken, '--upgrade-nodes', 'node3', '--recover-secs', '5'];
    brokenBundle = begin('rolling_upgrade', one);
    sameBundle = begin('rolling_upgrade', ['--upgrade-bundle', await bundleWith('same', null)]);
  });

  it('is upgraded node by node, tells its clocks, and serves beside a reader that does not read', async () => {
    const { code, events, told } = await served;
    expect(code, told).toBe(0);
    const restarts = events.filter(
      (event) => event.event === 'fault_state' && event.kind === 'restart' && event.state === 'gone',
    );
    expect(restarts).toHaveLength(2);
  });

  it('is NO-GO when the other bundle does not run', async () => {
    const { code, reasons, told } = await brokenBundle;
    expect(code, told).toBe(1);
    expect(reasons).toMatch(/nodes run what they were upgraded to: node3: /);
  });

  it('is INCONCLUSIVE when the other bundle is the one that it runs', async () => {
    const { code, reasons, told } = await sameBundle;
    expect(code, told).toBe(2);
    expect(reasons).toMatch(/UPGRADE_UNAVAILABLE/);
  });

  it('is refused before anything is started when there is no other bundle where it was said to be', async () => {
    const args = argsFor('rolling_upgrade', ['--upgrade-bundle', home]);
    await using mesh = await MeshproofProcess.start('run', ...args);
    expect(await mesh.exit()).toBe(64);
    expect(mesh.stderr).toMatch(/--upgrade-bundle: ".*" is not a directory that holds node\.js/);
    expect(mesh.pids).toEqual([]);
  });
});

describe('a mesh that outsiders attack', { timeout: BUDGET_MS + 30_000 }, () => {
  let attacked: Run;
  let lostUnderOne: Run;
  let lostUnderMany: Run;
  let outsidersLost: Run;
  beforeAll(() => {
    const few = ['--attack-secs', '6', '--outsider-kinds', 'forger,silent', '--outsiders-of-each', '1'];
    attacked = begin('bad_external_peer,many_bad_peers', [...few, ...PATIENT, '--links', 'lan']);
    const killNodeUnder = (name: string) => async (run: MeshproofProcess) => {
      await run.event('scenario_started', ({ scenario }) => scenario === name, BUDGET_MS);
      process.kill(await run.pidOf('node2', 'node'), 'SIGKILL');
    };
    const short = ['--attack-secs', '2'];
    const [one, many] = [
      ['--outsider-kinds', 'garbage'],
      ['--outsiders-of-each', '1'],
    ] as const;
    lostUnderOne = begin('bad_external_peer', [...short, ...one], killNodeUnder('bad_external_peer'));
    lostUnderMany = begin('many_bad_peers', [...short, ...many], killNodeUnder('many_bad_peers'));
    outsidersLost = begin('bad_external_peer', ['--outsider-kinds', 'silent'], async ({ child }) => {
      const pid = await until('the outsiders', () => outsidersOf(child.pid), { budgetMs: 60_000 });
      process.kill(pid, 'SIGKILL');
    });
  });

  it('does not feel them one by one, nor all at once, over links of their own', async () => {
    const { code, told } = await attacked;
    expect(code, told).toBe(0);
  });

  it('is NO-GO when a node does not survive one, and when it does not survive many', async () => {
    for (const [run, by] of [
      [lostUnderOne, 'one outsider'],
      [lostUnderMany, 'many outsiders'],
    ] as const) {
      const { code, reasons, told } = await run;
      expect(code, told).toBe(1);
      expect(reasons).toMatch(new RegExp(`pairs deliver under attack by ${by}: .*node2`));
    }
  });

  it('is INCONCLUSIVE when the outsiders end by themselves', async () => {
    const { code, reasons, told } = await outsidersLost;
    expect(code, told).toBe(2);
    expect(reasons).toMatch(/bad_external_peer.*OUTSIDERS_(GONE|UNAVAILABLE)/);
  });
});

/** The process of the outsiders that `harness` started; undefined while there is none. */
function outsidersOf(harness: number | undefined): number | undefined {
  return readdirSync('/proc')
    .map(Number)
    .find((pid) => {
      try {
        const isTheirs = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('outsiders');
        return isTheirs && readFileSync(`/proc/${pid}/status`, 'utf8').includes(`PPid:\t${harness}\n`);
      } catch {
        return false; // it has just ended
      }
    });
}
