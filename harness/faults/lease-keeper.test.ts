import { expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import type { Lease } from './fault-driver.ts';
import { LeaseKeeper } from './lease-keeper.ts';

const TTL_MS = 15_000;
const LEASE: Lease = { id: 'f1.b', spec: { kind: 'pause', at: 'b', role: 'node' }, ttlMs: TTL_MS };

function keep({
  tookMs,
  renew,
}: {
  readonly tookMs: number;
  readonly renew: () => Promise<readonly string[]>;
}) {
  const clock = new VirtualClock(100_000);
  const askedAtMs: number[] = [];
  const lapses: string[] = [];
  const sinceMs = clock.nowMs();
  const driver = {
    renew: () => {
      askedAtMs.push(clock.nowMs() - sinceMs);
      return renew();
    },
  };
  const start = async () => {
    await clock.advance(tookMs);
    return new LeaseKeeper([LEASE], { driver, clock, sinceMs, lapsed: (_node, why) => lapses.push(why) });
  };
  return { clock, start, askedAtMs, lapses };
}

it('a lease that took long to apply is renewed at once, before its time is up', async () => {
  const { clock, start, askedAtMs } = keep({ tookMs: 12_000, renew: async () => [] });
  const keeper = await start();
  for (let second = 0; second < 11; second += 1) await clock.advance(1_000);
  await keeper.stop();
  expect(askedAtMs.map((ms) => Math.floor(ms / 1_000))).toEqual([12, 17, 22]);
});

it('a lease that cannot be renewed is told as lapsed when its time is up, once', async () => {
  const { clock, start, lapses } = keep({ tookMs: 0, renew: () => Promise.reject(new Error('no way')) });
  const keeper = await start();
  for (let second = 0; second < 14; second += 1) await clock.advance(1_000);
  expect(lapses).toEqual([]);
  for (let second = 0; second < 20; second += 1) await clock.advance(1_000);
  await keeper.stop();
  expect(lapses).toEqual(['lease f1.b could not be renewed for its 15000 ms: no way']);
});
