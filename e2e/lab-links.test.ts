import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linksOfLabRun } from '../harness/commands/links-of-run.ts';
import { readInventory } from '../harness/fleet/inventory.ts';
import { ControlGroups } from '../harness/lab/containers/control-groups.ts';
import { openLab } from '../harness/lab/containers/lab.ts';
import { planLab } from '../harness/lab/containers/lab-plan.ts';
import { chooseDriver } from '../harness/lab/containers/link-driver.ts';
import { hostLinks } from '../harness/lab/containers/port-links.ts';
import { findRouter } from '../harness/lab/containers/router-process.ts';
import { until } from '../kit/deadline.ts';
import { type FaultError, messageOf } from '../kit/errors.ts';
import { traces } from './lab-traces.ts';
import { isLongForm } from './long-form.ts';
import { inside, makeLabsHome, removeLabsHome, whyNoLab } from './own-lab.ts';
import { meshproof } from './short-command.ts';

const HEAD = 'format = "meshproof.links.v1"\ndescription = "d"\nsource = "s"\n';
const SLOW_MS = 60; // what a busy machine may add to the fastest of some round trips
const TCP_BYTES = 3_000_000;
const run = promisify(execFile);
const { signal } = new AbortController();

/** The links of three hosts: the way there and the way back of each pair differ. */
const FAR = `${HEAD}[default]\nlatency_ms = 20
[[link]]\nfrom = "lab1"\nto = "lab2"\nlatency_ms = 90
[[link]]\nfrom = "lab2"\nto = "lab1"\nlatency_ms = 30
[[link]]\nfrom = "lab1"\nto = "lab3"\nlatency_ms = 180\n`;
const FAR_OF_TWO = FAR.slice(0, FAR.indexOf('[[link]]\nfrom = "lab1"\nto = "lab3"'));
const NEARER = `${HEAD}[default]\nrtt_ms = 50\n`;

/** What makes links here, or why there can be none, in the words that an operator would see. */
async function driverHere(): Promise<{ driver: string } | { reason: string }> {
  const reason = await whyNoLab();
  if (reason !== undefined) return { reason };
  if (!existsSync('/bin/busybox')) return { reason: 'no busybox to ping with (package busybox-static)' };
  const plan = planLab('/tmp', 2);
  const links = hostLinks(plan, { name: 'far', text: FAR_OF_TWO });
  try {
    return { driver: await chooseDriver(plan, links, signal) };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

const here = await driverHere();
const skipped = 'reason' in here ? ` (skipped: ${here.reason})` : ` by ${here.driver}`;
const isRouter = 'driver' in here && here.driver === 'router';

describe.skipIf('reason' in here)(`links between the hosts of a lab${skipped}`, () => {
  let home: string;
  let dir: string;
  beforeAll(async () => {
    home = await makeLabsHome();
    dir = join(home, 'lab');
    expect(await lab('up', '--hosts', '2')).toMatchObject({ stderr: '', code: 0 });
  });
  afterAll(() => removeLabsHome(home));

  const lab = (...args: readonly string[]) => meshproof('lab', ...args, '--dir', dir);
  const setLinks = async (text: string) => {
    const file = join(home, 'links.toml');
    await writeFile(file, text);
    expect(await lab('links', '--profile', file)).toMatchObject({ stderr: '', code: 0 });
  };
  /** The fastest of some round trips; undefined when none came back. */
  const roundTripMs = async (from: string, to: string, family: 'v4' | 'v6' = 'v4') => {
    const target = (await openLab(dir)).plan.hosts.find(({ name }) => name === to);
    const address = family === 'v4' ? target?.address : `-6 ${target?.address6}`;
    const shown = await inside(dir, from, `busybox ping -q -c 4 -W 3 ${address}; true`);
    const fastest = /min\/avg\/max = ([\d.]+)\//.exec(shown)?.[1];
    return fastest === undefined ? undefined : Number(fastest);
  };
  const expectRoundTrips = async (expected: Readonly<Record<string, number>>) => {
    const measured = await Promise.all(
      Object.entries(expected).map(async ([pair, ms]) => {
        const [from = '', to = ''] = pair.split(' ');
        return { pair, ms, took: await roundTripMs(from, to) };
      }),
    );
    for (const { pair, ms, took } of measured) {
      expect(took, pair).toBeGreaterThan(ms - 2);
      expect(took, pair).toBeLessThan(ms + SLOW_MS);
    }
  };

  it('are the way there and the way back of each pair, also to a host that comes later, and change while all run', async () => {
    await setLinks(FAR_OF_TWO);
    await expectRoundTrips({ 'lab1 lab2': 120, 'lab2 lab1': 120 });
    expect(await roundTripMs('lab1', 'lab2', 'v6')).toBeGreaterThan(118);
    expect((await lab('up', '--hosts', '3')).code).toBe(0);
    await setLinks(FAR);
    await expectRoundTrips({ 'lab1 lab2': 120, 'lab3 lab1': 200, 'lab2 lab3': 40 });
    await setLinks(NEARER);
    await expectRoundTrips({ 'lab2 lab1': 50, 'lab1 lab3': 50, 'lab3 lab2': 50 });
    expect((await lab('links', '--profile', 'none')).code).toBe(0);
    expect(await roundTripMs('lab1', 'lab2')).toBeLessThan(50);
  });

  it('carry a stream of full packets without changing a byte', async () => {
    await setLinks(NEARER);
    const address = (await openLab(dir)).plan.hosts[1]?.address;
    const bytes = `head -c ${TCP_BYTES} /dev/zero | tr '\\0' 'm'`;
    const received = inside(dir, 'lab2', 'busybox nc -l -p 7000 | sha256sum');
    await inside(
      dir,
      'lab1',
      `for try in 1 2 3 4 5 6 7 8 9; do ${bytes} | busybox nc ${address} 7000 && break; sleep 1; done`,
    );
    expect(await received).toBe(await inside(dir, 'lab1', `${bytes} | sha256sum`));
  });

  it.runIf(isRouter)(
    'are missed when their router was killed: hosts are cut, and every command says so',
    async () => {
      await setLinks(NEARER);
      expect((await lab('status')).stdout).toMatch(/^links: .*links\.toml, by the link router$/m);
      const inventory = await readInventory(join(dir, 'inventory.toml'));
      {
        await using held = await linksOfLabRun(inventory, signal);
        let told: FaultError | undefined;
        held?.onBroken((error) => {
          told = error;
        });
        const pid = await routerPid();
        if (pid === undefined) throw new Error('no link router runs'); // 0 would be this process and its group
        process.kill(pid, 'SIGKILL');
        const error = await until('the run to be told', () => told, { budgetMs: 20_000 });
        expect(error.code).toBe('LAB_LINKS_GONE');
      }
      expect(await roundTripMs('lab1', 'lab2')).toBeUndefined();
      const status = await lab('status');
      expect(status.stdout).toMatch(/^links: .*links\.toml, BROKEN: the link router has ended/m);
      expect(status.code).toBe(5);
      const refused = await meshproof('run', '--inventory', join(dir, 'inventory.toml'));
      expect(refused.stderr).toMatch(/^meshproof: the link router has ended, .*\[LAB_LINKS_DIFFER\]\n$/);
      expect(refused.code).toBe(5);

      expect((await lab('up')).code).toBe(0);
      expect((await lab('status')).code).toBe(0);
      await expectRoundTrips({ 'lab1 lab2': 50 });
    },
  );

  it.runIf(isRouter && isLongForm)(
    'are not what was set when somebody put the hosts near again',
    async () => {
      await setLinks(NEARER);
      const { network } = planLab(dir, 3);
      await run('ip', ['-netns', network, '-6', 'rule', 'delete', 'iif', 'br0']);
      expect(await lab('status')).toMatchObject({
        code: 5,
        stdout: expect.stringMatching(/BROKEN: not all that/),
      });
      expect((await lab('up')).code).toBe(0);
      await run('ip', ['netns', 'exec', network, 'nft', 'flush', 'ruleset']);
      expect(await lab('status')).toMatchObject({
        code: 5,
        stdout: expect.stringMatching(/BROKEN: the way to lab1 has 0 queues of netem: expected 2/),
      });
      expect((await lab('up')).code).toBe(0);
      expect((await lab('status')).code).toBe(0);
    },
  );

  it('leave nothing when the lab is taken down', async () => {
    await setLinks(FAR);
    const pid = await routerPid();
    expect(pid !== undefined).toBe(isRouter);
    if (pid !== undefined) {
      expect(await traces(dir)).toContainEqual(expect.stringMatching(`^process ${pid}: .*link-router`));
    }
    const { stderr, code } = await lab('down');
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(await traces(dir)).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  });

  const routerPid = async () =>
    (await findRouter((await openLab(dir)).plan, await ControlGroups.find()))?.process.pid;
});
