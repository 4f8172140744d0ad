import { describe, expect, it } from 'vitest';
import { Cooling } from './cooling.ts';

const [PEER, TOPIC] = ['p', 't'];

function timeOut(cooling: Cooling, times: number, nowMs: number): string[] {
  return Array.from({ length: times }, () => cooling.timedOut(PEER, TOPIC, nowMs));
}

/** Cools the pair at `nowMs` and lets it come to its probe; gives the time of the probe. */
function coolAndProbe(cooling: Cooling, nowMs: number): number {
  if (timeOut(cooling, 5, nowMs).at(-1) === 'ripe') cooling.cool(PEER, TOPIC, nowMs);
  const untilMs = cooling.suppression(PEER, TOPIC, nowMs)?.untilMs ?? Number.NaN;
  cooling.tick(untilMs);
  cooling.probe(PEER, TOPIC, 'message');
  return untilMs;
}

describe('cooling', () => {
  it('is due after five timeouts within 30 s, and not for five that are further apart', () => {
    const cooling = new Cooling();
    expect(timeOut(cooling, 5, 0)).toEqual(['counted', 'counted', 'counted', 'counted', 'ripe']);
    const slow = new Cooling();
    for (let at = 0; at < 20; at += 1) expect(slow.timedOut(PEER, TOPIC, at * 7_600)).toBe('counted');
  });

  it('counts per peer and topic', () => {
    const cooling = new Cooling();
    timeOut(cooling, 4, 0);
    expect(cooling.timedOut(PEER, 'other', 0)).toBe('counted');
    expect(cooling.timedOut('other', TOPIC, 0)).toBe('counted');
    expect(cooling.timedOut(PEER, TOPIC, 0)).toBe('ripe');
  });

  it('starts the count anew with every confirmed send', () => {
    const cooling = new Cooling();
    timeOut(cooling, 4, 0);
    cooling.confirmed(PEER, TOPIC, 1);
    expect(timeOut(cooling, 4, 2)).not.toContain('ripe');
  });

  it('asks again at the next timeout when the caller held a ripe link', () => {
    const cooling = new Cooling();
    timeOut(cooling, 5, 0);
    cooling.hold(PEER, TOPIC);
    expect(cooling.recentTimeouts(PEER, TOPIC, 0)).toBe(4);
    expect(cooling.timedOut(PEER, TOPIC, 1)).toBe('ripe');
  });

  it('rests 30 s, then is ready for exactly one message, named by its id', () => {
    const cooling = new Cooling();
    timeOut(cooling, 5, 0);
    cooling.cool(PEER, TOPIC, 0);
    expect(cooling.dueMs).toBe(30_000);
    cooling.tick(29_999);
    expect(cooling.probe(PEER, TOPIC, 'early')).toBe(false);
    cooling.tick(30_000);
    expect(cooling.suppression(PEER, TOPIC, 30_000)?.state).toBe('recovery_ready');
    expect(cooling.probe(PEER, TOPIC, 'one')).toBe(true);
    expect(cooling.probe(PEER, TOPIC, 'two')).toBe(false);
    expect(cooling.suppression(PEER, TOPIC, 30_000)).toMatchObject({
      state: 'recovery_probe',
      probeId: 'one',
    });
  });

  it('doubles with each failed probe from 30 to 300 s, and a success ends it', () => {
    const cooling = new Cooling();
    const rests: (number | undefined)[] = [];
    let nowMs = 0;
    for (let at = 0; at < 6; at += 1) {
      nowMs = coolAndProbe(cooling, nowMs);
      rests.push(cooling.suppression(PEER, TOPIC, nowMs)?.cooldownMs);
      if (at < 5) expect(cooling.timedOut(PEER, TOPIC, nowMs)).toBe('probeFailed');
    }
    expect(rests).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    expect(cooling.confirmed(PEER, TOPIC, nowMs)).toBe('restored');
    expect(cooling.isSuppressed(PEER, TOPIC)).toBe(false);
  });

  it('lets successes shorten the next rest by 3 % per second, down to 30 s', () => {
    const cooling = new Cooling();
    let nowMs = coolAndProbe(cooling, 0);
    cooling.timedOut(PEER, TOPIC, nowMs); // 60 s now, 120 s next
    nowMs = coolAndProbe(cooling, nowMs);
    cooling.confirmed(PEER, TOPIC, nowMs);
    for (let secs = 1; secs <= 10; secs += 1) cooling.confirmed(PEER, TOPIC, nowMs + secs * 1_000);
    timeOut(cooling, 5, nowMs + 10_000);
    cooling.cool(PEER, TOPIC, nowMs + 10_000);
    const { cooldownMs = 0 } = cooling.suppression(PEER, TOPIC, nowMs + 10_000) ?? {};
    expect(cooldownMs).toBeCloseTo(120_000 * 0.97 ** 10, 3);
  });

  it('names a ready pair for which no message has come within 5 s', () => {
    const cooling = new Cooling();
    timeOut(cooling, 5, 0);
    cooling.cool(PEER, TOPIC, 0);
    expect(cooling.tick(30_000)).toEqual([]);
    expect(cooling.dueMs).toBe(35_000);
    expect(cooling.tick(35_000)).toEqual([{ peer: PEER, topic: TOPIC }]);
  });

  it('rescues the link whose rest ends first', () => {
    const cooling = new Cooling();
    for (const [peer, atMs] of [
      ['late', 9_000],
      ['soon', 1_000],
    ] as const) {
      for (let at = 0; at < 5; at += 1) cooling.timedOut(peer, TOPIC, atMs);
      cooling.cool(peer, TOPIC, atMs);
    }
    expect(cooling.rescue(TOPIC, ['late', 'soon', 'fine'], 10_000)).toBe('soon');
    expect(cooling.rescue('other', ['late'], 10_000)).toBeUndefined();
    expect(cooling.isSuppressed('late', TOPIC)).toBe(true);
  });

  it('forgets a peer that went down and a topic that was let go, and cleans what is healed', () => {
    const cooling = new Cooling();
    coolAndProbe(cooling, 0);
    cooling.peerDown(PEER);
    expect(cooling.size).toBe(0);
    coolAndProbe(cooling, 100_000);
    cooling.forgetTopic(TOPIC);
    expect([...cooling.suppressions(100_000)]).toEqual([]);
    timeOut(cooling, 3, 200_000);
    expect(cooling.clean(210_000)).toBe(0);
    expect(cooling.clean(240_000)).toBe(1);
    expect(cooling.size).toBe(0);
  });

  it('holds no more than 16,384 pairs and counts what it could not hold', () => {
    const cooling = new Cooling();
    for (let at = 0; at < 16_400; at += 1) cooling.timedOut(PEER, `t${at}`, 0);
    expect(cooling.size).toBe(16_384);
    expect(cooling.forgotten).toBe(16);
  });
});
