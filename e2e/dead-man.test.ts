import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBundle } from '../harness/deploy/bundle.ts';
import { raiseLab } from '../harness/lab/containers/raise-lab.ts';
import { messageOf } from '../kit/errors.ts';
import { Random } from '../kit/random.ts';
import { DeadManHost, type Look } from './dead-man/lab-host.ts';
import { Served } from './dead-man/served.ts';
import { KINDS, planTrials } from './dead-man/trials.ts';
import {
  Durations,
  leaseOf,
  type TriedTrial,
  TTL_MS,
  tryTrial,
  untilAsBefore,
} from './dead-man/try-trial.ts';
import { makeLabsHome, removeLabsHome, whyNoLab } from './own-lab.ts';

const COUNT = Number(process.env.MESHPROOF_DEADMAN ?? 10);
const SEED = Number(process.env.MESHPROOF_SEED ?? Random.freshSeed());
const HOSTS = 6;
const TRIAL_BUDGET_MS = 30_000;
/** For what does not end by itself: long enough for the fault program to be gone. */
const LASTING_MS = 1_000;
const { signal } = new AbortController();

const reason = await whyNoLab();

describe.skipIf(reason !== undefined)(
  `the dead man, on real hosts${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let dir: string;
    let hosts: readonly DeadManHost[];
    let planted: readonly Look[];
    const durations = new Durations();

    beforeAll(async () => {
      dir = await makeLabsHome();
      const program = join(dirname((await ensureBundle()).nodeEntry), 'faults.js');
      const lab = await raiseLab({ dir: join(dir, 'lab'), hostCount: HOSTS, onHost: () => {} }, signal);
      hosts = await Promise.all(
        lab.hosts.map(async ({ host, status }, index) => {
          const peer = lab.hosts[(index + 1) % lab.hosts.length]?.host;
          if (status.leaderPid === null || peer === undefined) throw new Error(`${host.name} is off`);
          const sshConfig = join(lab.plan.dir, 'ssh_config');
          return await DeadManHost.prepare({ host, leader: status.leaderPid, peer }, { sshConfig, program });
        }),
      );
      await Promise.all(KINDS.map((kind, index) => measure(kind, hosts[index])));
      planted = await Promise.all(hosts.map((host) => host.look()));
    }, 120_000);
    afterAll(() => removeLabsHome(dir));

    /** Lets a fault of this kind live and end, so that later ones can be struck at any point of it. */
    async function measure(kind: (typeof KINDS)[number], host: DeadManHost | undefined): Promise<void> {
      if (host === undefined) throw new Error('fewer hosts than kinds of faults');
      const id = `measure-${kind.replace('_', '-')}`;
      await using served = await Served.start(id, host.serveArgv(id));
      const key = { run_id: 'dead-man', lease_ids: [id] };
      await durations.timed(kind, 'apply', () =>
        served.ask('apply', { lease: leaseOf({ id, kind }, host.peers) }),
      );
      await durations.timed(kind, 'renew', () => served.ask('renew', { ...key, ttl_ms: TTL_MS }));
      await durations.timed(kind, 'revert', () => served.ask('revert', key));
    }

    it(`leaves every host as it was, ${COUNT} times, whoever dies and whenever (seed ${SEED})`, {
      timeout: 60_000 + COUNT * TRIAL_BUDGET_MS,
    }, async () => {
      const waiting = [...planTrials(COUNT, SEED)];
      const tried: TriedTrial[] = [];
      const failures: string[] = [];
      await Promise.all(
        hosts.map(async (host, index) => {
          const look = planted[index];
          for (let trial = waiting.shift(); trial && look; trial = waiting.shift()) {
            const { id } = trial;
            const done = await tryTrial(host, look, trial, durations).catch(
              (error) => `${id}: ${messageOf(error)}`,
            );
            if (typeof done === 'string') return failures.push(done);
            tried.push(done);
            if (done.left.length > 0) return; // it would be in the way of the next one
          }
        }),
      );
      console.log(summary(tried));
      expect(failures).toEqual([]);
      expect(tried.filter(({ left }) => left.length > 0)).toEqual([]);
      expect(tried).toHaveLength(COUNT);
      // Most were struck while the program was at it: otherwise this has shown little.
      const timely = tried.filter(({ phase, cameLate }) => phase === 'hold' || !cameLate);
      expect(timely.length).toBeGreaterThan(COUNT / 2);
    });

    it('would see each kind of fault that did not end, and doctor ends it', async () => {
      const traces = {
        cut_v4: /^nft: /,
        cut_v6: /^nft: /,
        cut_large: /^nft: /,
        pause: /^paused: [1-9]/,
        stop: /^services: /,
      };
      const survive = async (kind: (typeof KINDS)[number], index: number) => {
        const [host, look] = [hosts[index], planted[index]];
        if (!host || !look) throw new Error('fewer hosts than kinds of faults');
        const id = `stays-${index}`;
        await using served = await Served.start(id, host.serveArgv(id));
        await served.ask('apply', { lease: { ...leaseOf({ id, kind }, host.peers), ttl_ms: 600_000 } });
        served.signal('program', 'SIGKILL');
        const left = await untilAsBefore(host, look, id, LASTING_MS);
        expect(left).toContainEqual(expect.stringMatching(traces[kind]));
        await using healer = await Served.start(`heals-${index}`, host.serveArgv(`heals-${index}`));
        expect(await healer.ask('doctor', { heal: true })).toMatchObject({ remaining: [] });
        expect(await host.look()).toEqual(look);
      };
      await Promise.all(KINDS.map(survive));
    });

    it('leaves nothing that doctor would find either', async () => {
      const ask = async (host: DeadManHost, index: number) => {
        await using served = await Served.start(`doctor${index}`, host.serveArgv(`doctor${index}`));
        return await served.ask('doctor', {});
      };
      expect(await Promise.all(hosts.map(ask))).toEqual(hosts.map(() => ({ found: [], remaining: [] })));
      expect(await Promise.all(hosts.map((host) => host.look()))).toEqual(planted);
    });
  },
);

function summary(tried: readonly TriedTrial[]): string {
  const lines = (['kind', 'phase', 'death'] as const).flatMap((by) =>
    [...Map.groupBy(tried, (trial) => trial[by])].map(([name, trials]) => {
      const times = trials.map(({ cleanAfterMs }) => cleanAfterMs).sort((a, b) => a - b);
      return `  ${by} ${name}: ${trials.length}, clean after ${times[Math.floor(times.length / 2)]} ms (median), ${times.at(-1)} ms (longest)`;
    }),
  );
  return [
    `${tried.length} deaths, ${tried.filter(({ cameLate }) => cameLate).length} of them just after the answer`,
    ...lines,
  ].join('\n');
}
