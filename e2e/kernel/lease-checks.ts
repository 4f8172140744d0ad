import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../kit/deadline.ts';
import { Random } from '../../kit/random.ts';
import { tableOf } from '../../runner/faults/names.ts';
import { PEER, Session } from '../../runner/faults/network-rig.ts';
import { removeRootArgv } from '../../runner/faults/tc-plan.ts';
import { type Checks, KEY, KEYS, SHAPE, SLOW_MS, type VmHost } from './vm-host.ts';

/** How shapes begin, last and end, and what is not theirs to touch. */
export const leaseChecks = (
  vm: VmHost,
  { deaths, seed }: { readonly deaths: number; readonly seed: number },
): Checks => ({
  renewal: async () => {
    const ttl_ms = 8_000;
    await vm.shape({ delay_ms: SLOW_MS, ttl_ms });
    const startMs = performance.now();
    const lost: string[] = [];
    while (performance.now() - startMs < 2 * ttl_ms) {
      lost.push(...(await vm.rig.ask('renew', { ...KEYS, ttl_ms })).lost);
      await sleep(1_000);
    }
    return { slow: await vm.isSlow(), lost, ...(await vm.revert()) };
  },

  expiry: async () => {
    const ttl_ms = 6_000;
    const child = vm.rig.start('serve');
    const closed = once(child, 'close');
    const answer = await new Session(child).ask('apply', { lease: { ...SHAPE, delay_ms: SLOW_MS, ttl_ms } });
    const appliedMs = performance.now();
    child.kill('SIGKILL');
    await closed;
    const slow = await vm.isSlow();
    await until('the end of the shape', async () => ((await vm.isSlow()) ? undefined : true), {
      budgetMs: ttl_ms + 20_000,
    });
    const endedAfterMs = performance.now() - appliedMs;
    const { standing } = await vm.rig.ask('list');
    await vm.rig.onHost('nft', 'delete', 'table', 'inet', tableOf(KEY));
    await vm.rig.onHost(...removeRootArgv('up0'));
    return {
      answer: answer.ok,
      slow,
      ttl_ms,
      endedAfterMs,
      left: standing.map(({ what, in_force }) => ({ what, in_force })),
      clean: await vm.isClean(),
      found: (await vm.rig.ask('doctor')).found,
    };
  },

  foreign_root: async () => {
    const foreign = [
      'handle 1: htb default 10',
      'tbf rate 10mbit burst 32kbit latency 50ms',
      'handle 8001: netem delay 1ms',
      'handle 1: prio bands 4',
      'handle 5: fq_codel',
      'handle 6d70: htb',
    ];
    const told: Record<string, { said: string; untouched: boolean }> = {};
    for (const qdisc of foreign) {
      await vm.rig.onHost('tc', 'qdisc', 'add', 'dev', 'up0', 'root', ...qdisc.split(' '));
      const before = await vm.rig.everything();
      const said = await vm.refusal(PEER.v4);
      await vm.rig.ask('doctor', { heal: true });
      told[qdisc] = { said, untouched: (await vm.rig.everything()) === before };
      await vm.rig.onHost('tc', 'qdisc', 'del', 'dev', 'up0', 'root');
    }
    return { told, clean: await vm.isClean() };
  },

  kernel_defaults: async () => {
    await vm.rig.onHost('ip', 'link', 'add', 'many0', 'numtxqueues', '2', 'type', 'ifb');
    await vm.rig.onHost('ip', 'tuntap', 'add', 'one0', 'mode', 'tap');
    const found: Record<string, { root: string; said: string; shaped: string; restored: boolean }> = {};
    for (const [index, device] of ['many0', 'one0'].entries()) {
      await vm.rig.onHost('ip', 'address', 'add', `198.51.${101 + index}.1/24`, 'dev', device);
      await vm.rig.onHost('ip', 'link', 'set', device, 'up');
      const rootOf = async () =>
        /^qdisc (\w+ \w+): root/.exec(await vm.rig.onHost('tc', 'qdisc', 'show', 'dev', device))?.[1] ??
        'none';
      const before = await vm.rig.everything();
      const root = await rootOf();
      const said = await vm.refusal(`198.51.${101 + index}.2`);
      const shaped = await rootOf();
      await vm.rig.ask('revert', KEYS);
      found[device] = { root, said, shaped, restored: (await vm.rig.everything()) === before };
    }
    for (const device of ['many0', 'one0']) await vm.rig.onHost('ip', 'link', 'delete', device);
    return { found, clean: await vm.isClean() };
  },

  doctor: async () => {
    await vm.shape({ run_id: 'of-an-older-run', delay_ms: SLOW_MS });
    const { found, remaining } = await vm.rig.ask('doctor', { heal: true });
    return {
      found: found.map(({ what }) => what),
      remaining,
      clean: await vm.isClean(),
      slow: await vm.isSlow(),
    };
  },

  dead_man: async () => {
    const random = new Random(seed);
    const ttl_ms = 3_000;
    const startMs = performance.now();
    await vm.shape({ delay_ms: SLOW_MS });
    const typicalMs = performance.now() - startMs;
    await vm.revert();
    const trials: object[] = [];
    for (let death = 0; death < deaths; death += 1) {
      const child = vm.rig.start('serve');
      const closed = once(child, 'close');
      const session = new Session(child);
      await session.ask('list', {});
      // One death in each part of the time that a first operation takes, which is longer than a later one.
      const afterMs = Math.round(((death + random.float()) / deaths) * typicalMs * 1.5);
      const applied = session
        .ask('apply', { lease: { ...SHAPE, delay_ms: SLOW_MS, ttl_ms } })
        .then(() => true);
      await sleep(afterMs);
      child.kill('SIGKILL');
      const diedMs = performance.now();
      await closed;
      const answered = await Promise.race([applied, sleep(0, false)]);
      await until('the end of every address', async () => ((await vm.elements()) === 0 ? true : undefined), {
        budgetMs: ttl_ms + 15_000,
      });
      const endedAfterMs = performance.now() - diedMs;
      const slow = await vm.isSlow();
      const { found } = await vm.rig.ask('doctor', { heal: true });
      trials.push({ afterMs, answered, endedAfterMs, slow, found: found.length, clean: await vm.isClean() });
    }
    return { ttl_ms, trials };
  },
});
