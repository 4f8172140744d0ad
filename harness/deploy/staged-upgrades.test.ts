import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOfStored } from '../../kit/bundle-digest.ts';
import { until } from '../../kit/deadline.ts';
import { DEPLOYED_PATHS } from '../fleet/deployed-host.ts';
import { HostError } from '../fleet/host-error.ts';
import { EXIT, exitCodeOfError } from '../run/exit-code.ts';
import { TARGET } from './fixture-deployment.ts';
import { PaperHost } from './fixture-paper-host.ts';
import type { Problem } from './problem.ts';
import type { SettlingSite } from './settle.ts';
import { Site } from './site.ts';
import { StagedUpgrades } from './staged-upgrades.ts';

const NAMES = ['a', 'b', 'c'];
const { home, versions, releases, current, program, previous } = DEPLOYED_PATHS;

// The scripts are of Linux, as the hosts are.
describe.skipIf(process.platform !== 'linux')('upgrades of deployed hosts', () => {
  let root: string;
  let hosts: PaperHost[];
  let bundleSha256: string;
  let trees: (readonly string[])[];
  let upgrades: StagedUpgrades;
  let settled: readonly SettlingSite[];
  let problems: Problem[];
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'meshproof-staged-'));
    const made = await Promise.all(NAMES.map((name) => PaperHost.deployed(name, join(root, name))));
    hosts = made.map(({ host }) => host);
    bundleSha256 = made[0]?.bundleSha256 ?? '';
    trees = await treesNow();
    [settled, problems] = [[], []];
    upgrades = upgradesTo(undefined);
  });
  afterEach(async () => {
    await upgrades[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  const treesNow = () => Promise.all(hosts.map((host) => host.tree()));
  function upgradesTo(upgradeBundle: string | undefined): StagedUpgrades {
    const openSites = () => {
      const mesh = hosts.map((host) => new Site({ ...TARGET, name: host.name }, host));
      return { mesh, chosen: mesh, [Symbol.asyncDispose]: async () => {} };
    };
    return new StagedUpgrades(upgradeBundle, {
      openSites,
      settle: async (sites) => {
        settled = sites;
        const rest = { machineIds: new Map(), acknowledged: 0, pairs: 0, unanswered: [], afterMs: 0 };
        return { problems, ...rest };
      },
    });
  }
  function hostNamed(name: string): PaperHost {
    const host = hosts.find((one) => one.name === name);
    if (host === undefined) throw new Error(`no ${name}`);
    return host;
  }
  const shows = (name: string) => digestOfStored(hostNamed(name).at(program));
  /** What the scenario does: stage, then restart. */
  async function upgrade(name: string): Promise<string> {
    const staged = await upgrades.stage(name);
    await hostNamed(name).start('node');
    return staged.bundleSha256;
  }

  it('change the programs of a host and nothing else, and leave nothing behind', async () => {
    const host = hostNamed('b');
    const before = await stat(host.at(`${program}/bin/node`));
    const was = await readFile(host.at(`${current}/etc/node.toml`), 'utf8');
    const given = await upgrade('b');
    expect(given).not.toBe(bundleSha256);
    expect([await shows('a'), await shows('b')]).toEqual([bundleSha256, given]);
    expect(await readFile(host.at(`${program}/node.js`), 'utf8')).toContain('version:"1.2.3+other"');
    expect((await stat(host.at(`${program}/bin/node`))).ino).toBe(before.ino); // nothing that is there is sent
    expect(await readFile(host.at(`${current}/etc/node.toml`), 'utf8')).toBe(was);
    await upgrades.putBack();
    expect(host.asked).toEqual(['restart node', 'restart runner']);
    expect(without('incoming', await treesNow())).toEqual(trees);
  });

  it('go back in the next window, and on again in the one after it', async () => {
    const other = await upgrade('b');
    expect(await upgrade('b')).toBe(bundleSha256);
    expect(await shows('b')).toBe(bundleSha256);
    expect(await upgrade('b')).toBe(other);
    await upgrades.putBack();
    expect(await shows('b')).toBe(bundleSha256);
  });

  it('restart nobody who runs the release of before already, and verify the whole mesh', async () => {
    await upgrade('a');
    await upgrade('a');
    await upgrades.stage('b'); // and no restart came
    await upgrade('c');
    await upgrades.putBack();
    expect(hosts.map(({ asked }) => asked.length)).toEqual([0, 0, 2]);
    expect(settled.map(({ judged }) => judged.as)).toEqual(['running', 'running', 'running']);
    expect(without('incoming', await treesNow())).toEqual(trees);
  });

  it('are undone on a third of the mesh at once, so that the rest of it serves on', async () => {
    for (const name of NAMES) await upgrade(name);
    const order: string[] = [];
    for (const host of hosts) {
      const exec = host.exec.bind(host);
      host.exec = async (...asked) => {
        if (order.at(-1) !== host.name) order.push(host.name);
        return await exec(...asked);
      };
    }
    await upgrades.putBack();
    expect(order).toEqual(NAMES);
  });

  it('end what is under way before they put it back, and begin nothing after that', async () => {
    const staging = upgrades.stage('b');
    const begun = () => existsSync(hostNamed('b').at(DEPLOYED_PATHS.incoming)) || undefined;
    await until('the first change there', begun, { budgetMs: 10_000, everyMs: 1 });
    const back = upgrades.putBack();
    await Promise.all([staging, back]);
    expect(without('incoming', await treesNow())).toEqual(trees);
    await expect(upgrades.stage('c')).rejects.toMatchObject({ code: 'UPGRADE_UNAVAILABLE' });
  });

  it('name every host that is not as before, put the others back, and make the run dirty', async () => {
    for (const name of ['a', 'b', 'c']) await upgrade(name);
    hostNamed('a').way = 'lost';
    problems = [{ host: 'c', code: 'UNIT_NOT_ACTIVE', message: 'c: its runner is failed' }];
    const failure = await upgrades.putBack().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'HOSTS_LEFT_CHANGED',
      message: expect.stringMatching(
        /^a, c could not .*"meshproof deploy".*HOST_UNREACHABLE: a.*runner is failed/,
      ),
    });
    expect(exitCodeOfError(failure)).toBe(EXIT.dirty);
    expect(await shows('b')).toBe(bundleSha256);
    expect(settled.map(({ judged }) => judged.as)).toEqual(['peer', 'running', 'running']);
  });

  it('leave a host alone where somebody made a third release current, and say so', async () => {
    const host = hostNamed('b');
    await upgrade('b');
    await rm(host.at(current));
    await symlink(`releases/${'9'.repeat(64)}`, host.at(current));
    const tree = await host.tree();
    await expect(upgrades.putBack()).rejects.toThrow(/HOST_CHANGED: b: another release .* 999999999999/);
    expect(await host.tree()).toEqual(tree);
  });

  it('leave a host alone that was changed while its lock was lost under an upload', async () => {
    const host = hostNamed('b');
    const write = host.writeFile.bind(host);
    const theirs = `releases/${'9'.repeat(64)}`;
    host.writeFile = async (path, content) => {
      await write(path, content);
      if (!path.endsWith('runner.toml')) return;
      host.lock = 'lost';
      await rm(host.at(current));
      await symlink(theirs, host.at(current));
    };
    await expect(upgrades.stage('b')).rejects.toMatchObject({ code: 'HOST_CHANGED' });
    expect(await readlink(host.at(current))).toBe(theirs);
  });

  it('keep the release of before that a host had, and its own as the one of before meanwhile', async () => {
    const host = hostNamed('b');
    const older = `releases/${'8'.repeat(64)}`;
    const own = await readlink(host.at(current));
    const copy = { recursive: true, verbatimSymlinks: true };
    await cp(host.at(`${home}/${own}`), host.at(`${home}/${older}`), copy);
    await symlink(older, host.at(previous));
    await upgrade('b');
    expect(await readlink(host.at(previous))).toBe(own);
    await upgrades.putBack();
    expect(await readlink(host.at(previous))).toBe(older);
  });

  it('remove what they had brought to a host before a step failed there', async () => {
    const host = hostNamed('b');
    const write = host.writeFile.bind(host);
    host.writeFile = (path, content) =>
      path.endsWith('runner.toml')
        ? Promise.reject(new HostError('HOST_LOST', 'b', 'cut'))
        : write(path, content);
    await expect(upgrades.stage('b')).rejects.toMatchObject({ code: 'HOST_LOST' });
    expect(await treesNow()).not.toEqual(trees);
    await upgrades.putBack();
    expect(without('incoming', await treesNow())).toEqual(trees);
    expect(host.asked).toEqual([]);
  });

  it('keep a version that another release on the host still needs', async () => {
    const host = hostNamed('b');
    await upgrade('b');
    const needed = await readlink(host.at(program));
    const copy = { recursive: true, verbatimSymlinks: true };
    await cp(
      host.at(`${home}/${await readlink(host.at(current))}`),
      host.at(`${releases}/${'7'.repeat(64)}`),
      copy,
    );
    await upgrades.putBack();
    expect(existsSync(host.at(`${versions}/${basename(needed)}/node.js`))).toBe(true);
  });

  it('refuse a host whose programs are not what its version promises, and change nothing there', async () => {
    await writeFile(hostNamed('b').at(`${program}/runner.js`), '// changed');
    await expect(upgrades.stage('b')).rejects.toMatchObject({ code: 'PROGRAM_DIFFERS' });
    await upgrades.putBack();
    expect([await treesNow(), settled]).toEqual([trees, []]);
  });

  it('take the programs of a directory, unless they are the ones that run', async () => {
    await upgrade('b');
    const next = join(root, 'next');
    await cp(hostNamed('b').at(`${program}/`), next, { recursive: true, dereference: true });
    const wanted = await digestOfStored(next);
    await using second = upgradesTo(next);
    expect(await second.stage('c')).toEqual({ bundleSha256: wanted });
    await second.putBack();
    await using same = upgradesTo(hostNamed('a').at(program));
    await expect(same.stage('c')).rejects.toMatchObject({ code: 'UPGRADE_UNAVAILABLE' });
  });
});

/** But for the directory that uploads pass through, which stays. */
function without(name: string, all: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return all.map((tree) => tree.filter((line) => !line.endsWith(`/${name}`)));
}
