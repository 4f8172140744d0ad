import { expect, test } from 'vitest';
import { realClock, VirtualClock } from './clock.ts';

test('virtual sleepers wake in order of their time, then of their arrival, each at its own time', async () => {
  const clock = new VirtualClock(1_000);
  const woken: [string, number][] = [];
  const sleeper = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push([name, clock.nowMs()]);
  };
  const all = [sleeper('late', 300), sleeper('first', 100), sleeper('second', 100)];
  await clock.advance(99);
  expect(woken).toEqual([]);
  await clock.advance(1_000);
  await Promise.all(all);
  expect(woken).toEqual([
    ['first', 1_100],
    ['second', 1_100],
    ['late', 1_300],
  ]);
  expect(clock.nowMs()).toBe(2_099);
});

test('a loop of sleeps wakes as often as its time allows within one advance', async () => {
  const clock = new VirtualClock();
  let turns = 0;
  const stop = new AbortController();
  const loop = (async () => {
    for (;;) {
      await clock.sleep(100, stop.signal);
      turns += 1;
    }
  })();
  await clock.advance(1_000);
  expect(turns).toBe(10);
  stop.abort(new Error('enough'));
  await expect(loop).rejects.toThrow('enough');
});

test.each([
  ['virtual', new VirtualClock()],
  ['real', realClock],
] as const)('a %s sleep rejects with the reason of its signal', async (_, clock) => {
  const stop = new AbortController();
  const sleep = clock.sleep(60_000, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(sleep).rejects.toThrow('stopped');
  await expect((async () => clock.sleep(1, stop.signal))()).rejects.toThrow('stopped');
});

test('the real clock does not go backwards and tells Unix time', async () => {
  const before = realClock.nowMs();
  await realClock.sleep(-5);
  expect(realClock.nowMs()).toBeGreaterThanOrEqual(before);
  expect(Math.abs(realClock.wallMs() - Date.now())).toBeLessThan(1_000);
});
