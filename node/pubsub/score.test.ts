import { describe, expect, it } from 'vitest';
import { PeerTally } from './peer-tally.ts';
import { scoreOf } from './score.ts';

const NEVER_ASKED = { asked: 0, answered: 0 };

describe('the score of a link', () => {
  it('is 0.3 for one that has shown nothing, and 0.88 for one that just brought a message', () => {
    const tally = new PeerTally();
    expect(scoreOf(tally, NEVER_ASKED, 0).score).toBeCloseTo(0.3);
    tally.deliver(0);
    expect(scoreOf(tally, NEVER_ASKED, 0).score).toBeCloseTo(0.88);
  });

  it('falls with timeouts and more with coolings, while the counts it shows only grow', () => {
    const tally = new PeerTally();
    tally.deliver(0);
    const scores: number[] = [];
    for (let at = 0; at < 5; at += 1) {
      tally.timedOut(0);
      scores.push(scoreOf(tally, NEVER_ASKED, 0).score);
    }
    tally.cool(0);
    scores.push(scoreOf(tally, NEVER_ASKED, 0).score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores.at(-1)).toBeLessThan(0.45);
    expect(tally).toMatchObject({ sendTimeouts: 5, coolingEvents: 1 });
  });

  it('forgives with a half-life of 300 s', () => {
    const tally = new PeerTally();
    for (let at = 0; at < 8; at += 1) tally.timedOut(0);
    expect(scoreOf(tally, NEVER_ASKED, 0).sendHealth).toBeCloseTo(1 / 9);
    expect(scoreOf(tally, NEVER_ASKED, 300_000).sendHealth).toBeCloseTo(1 / 5);
    expect(scoreOf(tally, NEVER_ASKED, 900_000).sendHealth).toBeCloseTo(1 / 2);
    expect(tally.sendTimeouts).toBe(8);
  });

  it('takes unanswered questions for a worse link', () => {
    const tally = new PeerTally();
    const [good, bad] = [
      { asked: 4, answered: 4 },
      { asked: 4, answered: 1 },
    ];
    expect(scoreOf(tally, good, 0).score).toBeGreaterThan(scoreOf(tally, bad, 0).score);
  });
});
