import { describe, expect, it } from 'vitest';
import { type CounterPoint, growthBetween } from './counter-growth.ts';
import type { Restart } from './restarts.ts';

const point = (atSecs: number, value: number, bootId = 'a', uptimeSecs = atSecs): CounterPoint => ({
  atMonoMs: atSecs * 1_000,
  value,
  epoch: { boot_id: bootId, uptime_secs: uptimeSecs },
});

function restart(seenSecs: number, declared: boolean): Restart {
  const at = { node: 'nyc', window: 1, scenario: 'restart_storm' };
  return {
    ...at,
    declared,
    declaration: declared ? { type: 'restart_declared', ...at } : null,
    lastSeenMonoMs: 0,
    firstSeenMonoMs: seenSecs * 1_000,
    why: 'boot_id changed from a to b',
  };
}

describe('growth of a counter', () => {
  it('inside one lifetime is the difference, whatever restarts were at other times', () => {
    const elsewhere = [restart(5, false), restart(30, true)];
    expect(growthBetween(point(10, 3), point(20, 7), elsewhere)).toEqual({ grown: 4, lostSecs: null });
  });

  it('over a declared restart counts from 0, and bounds the tail that is lost', () => {
    const grown = growthBetween(point(10, 900), point(20, 7, 'b', 6), [restart(20, true)]);
    expect(grown).toEqual({ grown: 7, lostSecs: 4 });
  });

  it('over an undeclared restart is not known, though another in between was declared', () => {
    const undeclared = { broken: 'restarted', why: 'boot_id changed from a to b' };
    const [from, to] = [point(10, 900), point(20, 7, 'b', 6)];
    expect(growthBetween(from, to, [restart(20, false)])).toEqual(undeclared);
    expect(growthBetween(from, to, [restart(15, true), restart(20, false)])).toEqual(undeclared);
    expect(growthBetween(from, to, [restart(9, true), restart(21, true)])).toMatchObject({
      broken: 'restarted',
    });
    expect(growthBetween(from, to, [])).toMatchObject({ broken: 'restarted' });
  });

  it('is never clamped: a counter that went back, or below 0, is not known', () => {
    expect(growthBetween(point(10, 7), point(20, 6), [])).toEqual({ broken: 'reset' });
    expect(growthBetween(point(10, -1), point(20, 6), [])).toEqual({ broken: 'negative' });
    expect(growthBetween(point(10, 7), point(20, 9, 'a', 3), [])).toMatchObject({ broken: 'restarted' });
  });
});
