import { describe, expect, it } from 'vitest';
import { STOP_CONDITIONS } from '../../proofs/safety-schema.ts';
import { type RoundSight, StopWatch } from './stop-watch.ts';

const rounds = (watch: StopWatch, ...sights: readonly RoundSight[]) =>
  sights.map((sight) => watch.roundSeen('b', sight, 'free')).find((stop) => stop !== null)?.condition ?? null;

describe('a stop condition', () => {
  it.for<readonly [string, readonly RoundSight[], string | null]>([
    ['three silent rounds in a row', ['nothing', 'nothing', 'nothing'], 'lost-node'],
    ['two silent rounds', ['nothing', 'nothing', 'all', 'nothing'], null],
    ['three rounds that lack something', ['some', 'nothing', 'some'], 'lost-telemetry'],
    ['a node that comes and goes', ['some', 'all', 'some', 'all', 'some'], null],
  ])('of telemetry: %s', ([, sights, condition]) => {
    expect(rounds(new StopWatch(STOP_CONDITIONS), ...sights)).toBe(condition);
  });

  it('is not met by a node that a fault holds down', () => {
    const watch = new StopWatch(STOP_CONDITIONS);
    for (let round = 0; round < 9; round += 1)
      expect(watch.roundSeen('b', 'nothing', 'held down')).toBeNull();
  });

  it('tells a node whose way is lost from one that is lost', () => {
    const watch = new StopWatch(STOP_CONDITIONS);
    watch.wayChanged('b', 'lost');
    const stop = [1, 2, 3].map(() => watch.roundSeen('b', 'nothing', 'free')).at(-1);
    expect(stop).toMatchObject({
      condition: 'lost-telemetry',
      message: expect.stringContaining('the way to it being lost'),
    });
    const nodesOnly = new StopWatch(['lost-node']);
    nodesOnly.wayChanged('b', 'lost');
    for (let round = 0; round < 9; round += 1) {
      expect(nodesOnly.roundSeen('b', 'nothing', 'free')).toBeNull();
    }
    nodesOnly.wayChanged('b', 'regained');
    expect(rounds(nodesOnly, 'nothing', 'nothing')).toBeNull();
    expect(rounds(nodesOnly, 'nothing')).toBe('lost-node');
  });

  it('is met by an unexpected end of a process, and by a window that is NO-GO', () => {
    const watch = new StopWatch(STOP_CONDITIONS);
    expect(watch.processEnded('b', 'node', 'expected')).toBeNull();
    expect(watch.processEnded('b', 'node', 'unexpected')).toMatchObject({ condition: 'lost-node' });
    expect(watch.windowJudged(3, 'INCONCLUSIVE', [])).toBeNull();
    expect(watch.windowJudged(3, 'NO-GO', ['why'])).toMatchObject({
      message: 'stopped on no-go: window 3 is NO-GO: why',
    });
  });

  it('that was not stated ends nothing', () => {
    const watch = new StopWatch([]);
    expect(watch.windowJudged(1, 'NO-GO', [])).toBeNull();
    expect(watch.processEnded('b', 'node', 'unexpected')).toBeNull();
    expect(rounds(watch, 'nothing', 'nothing', 'nothing', 'nothing')).toBeNull();
  });
});
