import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../../kit/random.ts';
import { Reconnect, type Standing } from './reconnect.ts';

const dialTo = (standing: Standing) => (target: string) => ({ target, claim: { standing, address: target } });
const names = (dials: readonly { readonly target: string }[]) => dials.map(({ target }) => target);
const followed = (...targets: string[]) => {
  const reconnect = new Reconnect(new Random(1));
  for (const target of targets) reconnect.follow(target, 0);
  return reconnect;
};

/** The time from `fromMs` until `target` is dialled, to the millisecond. */
function waitOf(reconnect: Reconnect, fromMs: number): number {
  const [wait] = reconnect.waiting(fromMs, 1);
  return wait?.dueInMs ?? Number.NaN;
}

test('all targets are dialled at once at the start, 16 at a time', () => {
  const reconnect = followed(...Array.from({ length: 20 }, (_, index) => `t${index}`));
  expect(reconnect.take(0, dialTo('configured')).length).toBe(16);
  expect(reconnect.take(0, dialTo('configured'))).toEqual([]);
  reconnect.failed('t0', 0);
  expect(names(reconnect.take(0, dialTo('configured')))).toEqual(['t16']);
});

test.each([
  ['hearsay', [1, 2, 4, 8, 16, 60, 60]],
  ['met', [1, 2, ...Array.from({ length: 25 }, () => 4)]],
] as const)('the back-off of one who is %s is %j s within 20 %%, for any seed', (standing, waits) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const reconnect = new Reconnect(new Random(seed));
      reconnect.follow('t', 0);
      let nowMs = 0;
      for (const seconds of waits) {
        expect(names(reconnect.take(nowMs, dialTo(standing)))).toEqual(['t']);
        reconnect.failed('t', nowMs);
        const waitMs = waitOf(reconnect, nowMs);
        expect(waitMs).toBeGreaterThanOrEqual(seconds * 800);
        expect(waitMs).toBeLessThanOrEqual(seconds * 1_200);
        expect(reconnect.take(nowMs + waitMs - 1, dialTo(standing))).toEqual([]);
        nowMs += waitMs;
      }
    }),
    { numRuns: 50 },
  );
});

test('a configured peer that is missing for less than two minutes is dialled every 5 s at least; later it is left alone', () => {
  const reconnect = followed('t');
  reconnect.up('t', 0);
  reconnect.lost('t', 1_000_000);
  const gaps: number[] = [];
  let lastMs = 1_000_000;
  for (let nowMs = 1_000_000; nowMs < 1_300_000; nowMs += 100) {
    if (reconnect.take(nowMs, dialTo('configured')).length === 0) continue;
    gaps.push(nowMs - lastMs);
    lastMs = nowMs;
    reconnect.failed('t', nowMs);
    if (nowMs < 1_120_000) expect(waitOf(reconnect, nowMs)).toBeLessThanOrEqual(5_000);
  }
  expect(gaps.length).toBeGreaterThan(24);
  expect(gaps.at(-1)).toBeGreaterThan(40_000);
});

test('who is waited for is dialled within a second of the last dial, and its failures still count', () => {
  const reconnect = followed('t');
  for (const nowMs of [0, 2_000, 5_000]) {
    reconnect.take(nowMs, dialTo('met'));
    reconnect.failed('t', nowMs);
  }
  reconnect.hurry('t', 5_100);
  expect(reconnect.take(5_999, dialTo('met'))).toEqual([]);
  const failures: number[] = [];
  reconnect.take(6_000, (target, failed) => {
    failures.push(failed);
    return dialTo('met')(target);
  });
  expect(failures).toEqual([3]);
});

test('a good link that is lost is redialled after a quarter of a second', () => {
  const reconnect = followed('t');
  reconnect.up('t', 0);
  expect(reconnect.take(30_000, dialTo('met'))).toEqual([]);
  reconnect.lost('t', 30_000);
  expect(waitOf(reconnect, 30_000)).toBeGreaterThanOrEqual(200);
  expect(waitOf(reconnect, 30_000)).toBeLessThanOrEqual(300);
});

test('links that live shortly are redialled less and less often', () => {
  const reconnect = followed('t');
  const waits: number[] = [];
  for (let nowMs = 0; waits.length < 7; nowMs += 100_000) {
    reconnect.up('t', nowMs);
    reconnect.lost('t', nowMs + 50);
    waits.push(waitOf(reconnect, nowMs + 50));
  }
  const nominal = [250, 1_000, 2_000, 4_000, 8_000, 16_000, 60_000];
  waits.forEach((waitMs, index) => {
    expect(Math.abs(waitMs / (nominal[index] ?? 0) - 1)).toBeLessThanOrEqual(0.2);
  });
});

test('news end a back-off, but never make a target dialled twice in a second', () => {
  const reconnect = followed('t');
  reconnect.take(0, dialTo('met'));
  for (let failure = 0; failure < 8; failure += 1) reconnect.failed('t', 100);
  reconnect.reset('t', 200);
  expect(reconnect.take(999, dialTo('met'))).toEqual([]);
  expect(names(reconnect.take(1_000, dialTo('met')))).toEqual(['t']);
});

test('one address is dialled by one target at a time', () => {
  const reconnect = followed('a', 'b');
  const sameAddress = (target: string) => ({ target, claim: { standing: 'met', address: 'x' } as const });
  expect(names(reconnect.take(0, sameAddress))).toEqual(['a']);
  expect(reconnect.take(0, sameAddress)).toEqual([]);
  reconnect.failed('a', 10);
  expect(names(reconnect.take(10, sameAddress))).toEqual(['b']);
});

test('configured targets go first, then those met before, and hearsay takes half of the permits at most', () => {
  const reconnect = followed(
    ...Array.from({ length: 12 }, (_, index) => `hearsay-${index}`),
    'met-0',
    'configured-0',
  );
  const byName = (target: string) => {
    const standing: Standing = target.startsWith('hearsay')
      ? 'hearsay'
      : target.startsWith('met')
        ? 'met'
        : 'configured';
    return dialTo(standing)(target);
  };
  const taken = names(reconnect.take(0, byName));
  expect(taken.slice(0, 2)).toEqual(['configured-0', 'met-0']);
  expect(taken.length).toBe(2 + 8);
});

test('a failed dial of a peer that came by itself meanwhile is no failure', () => {
  const reconnect = followed('t');
  reconnect.take(0, dialTo('met'));
  reconnect.up('t', 10);
  expect(reconnect.failed('t', 20)).toBe(0);
  reconnect.lost('t', 20_000);
  expect(waitOf(reconnect, 20_000)).toBeLessThanOrEqual(300);
});
