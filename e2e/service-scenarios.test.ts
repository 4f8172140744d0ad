import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import { BUNDLE_FILES } from '../kit/bundle-digest.ts';
import { until } from '../kit/deadline.ts';
import { MeshproofProcess } from './meshproof-process.ts';

const MESH = ['--local', '3', '--telemetry-secs', '2', '--settle-secs', '10', '--stop-on', 'none'];
const run = (scenarios: string, ...more: readonly string[]) =>
  MeshproofProcess.start(
    'run',
    ...MESH,
    '--allow-restart-storm',
    '--scenarios',
    `baseline,${scenarios}`,
    ...more,
  );

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

describe('a mesh under traffic', { timeout: 240_000 }, () => {
  it('is upgraded node by node, tells its clocks, and serves beside a reader that does not read', async () => {
    await using mesh = await run('rolling_upgrade,clock_skew,delayed_reader', '--reader-delay-secs', '8');
    expect(await mesh.exit(200_000), mesh.told()).toBe(0);
    const restarts = mesh.events.filter(
      (event) => event.event === 'fault_state' && event.kind === 'restart' && event.state === 'gone',
    );
    expect(restarts).toHaveLength(2);
  });

  it('is NO-GO when the other bundle does not run', async () => {
    const broken = await bundleWith('broken', 'process.exit(3);');
    const flags = ['--upgrade-bundle', broken, '--upgrade-nodes', 'node3', '--recover-secs', '5'];
    await using mesh = await run('rolling_upgrade', ...flags);
    expect(await mesh.exit(), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/nodes run what they were upgraded to: node3: /);
  });

  it('is INCONCLUSIVE when the other bundle is the one that it runs', async () => {
    await using mesh = await run('rolling_upgrade', '--upgrade-bundle', await bundleWith('same', null));
    expect(await mesh.exit(), mesh.told()).toBe(2);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/UPGRADE_UNAVAILABLE/);
  });

  it('is refused before anything is started when there is no other bundle where it was said to be', async () => {
    await using mesh = await run('rolling_upgrade', '--upgrade-bundle', home);
    expect(await mesh.exit()).toBe(64);
    expect(mesh.stderr).toMatch(/--upgrade-bundle: ".*" is not a directory that holds node\.js/);
    expect(mesh.pids).toEqual([]);
  });
});

describe('a mesh that outsiders attack', { timeout: 240_000 }, () => {
  it('does not feel them one by one, nor all at once, over links of their own', async () => {
    const attack = ['--attack-secs', '20', '--outsider-kinds', 'forger,silent', '--outsiders-of-each', '1'];
    await using mesh = await run('bad_external_peer,many_bad_peers', ...attack, '--links', 'lan');
    expect(await mesh.exit(220_000), mesh.told()).toBe(0);
  });

  it('is NO-GO when a node does not survive them', async () => {
    await using mesh = await run('bad_external_peer', '--attack-secs', '8', '--outsider-kinds', 'garbage');
    await mesh.event('scenario_started', ({ scenario }) => scenario === 'bad_external_peer');
    process.kill(await mesh.pidOf('node2', 'node'), 'SIGKILL');
    expect(await mesh.exit(), mesh.told()).toBe(1);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/pairs deliver under attack by one outsider: .*node2/);
  });

  it('is INCONCLUSIVE when the outsiders end by themselves', async () => {
    await using mesh = await run('bad_external_peer', '--attack-secs', '10', '--outsider-kinds', 'silent');
    const pid = await until('the outsiders', () => outsidersOf(mesh.child.pid), { budgetMs: 60_000 });
    process.kill(pid, 'SIGKILL');
    expect(await mesh.exit(), mesh.told()).toBe(2);
    const { reasons } = await mesh.event('judged');
    expect(reasons.join('\n')).toMatch(/bad_external_peer.*OUTSIDERS_(GONE|UNAVAILABLE)/);
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
