import { describe, expect, it } from 'vitest';
import { type EchoOutcome, EchoWatch } from './echo-watch.ts';

const TOPIC = 't';

function watchOf(...peers: string[]): EchoWatch {
  const watch = new EchoWatch();
  for (const peer of peers) watch.peerUp(peer);
  return watch;
}

function briefly(outcomes: readonly EchoOutcome[]): string[] {
  return outcomes.map((outcome) => {
    const what = outcome.type === 'ask' ? outcome.number : [...outcome.topics].join(' ');
    return `${outcome.type} ${outcome.peer} ${what}`;
  });
}

/** Ticks at every deadline up to `untilMs`; gives what came of it with its time. */
function runUntil(watch: EchoWatch, untilMs: number): string[] {
  const log: string[] = [];
  for (let dueMs = watch.dueMs; dueMs !== undefined && dueMs <= untilMs; dueMs = watch.dueMs) {
    log.push(...briefly(watch.tick(dueMs)).map((what) => `${dueMs} ${what}`));
  }
  return log;
}

describe('the echo watch', () => {
  it('asks nothing of a link that nothing was sent on', () => {
    const watch = watchOf('a');
    expect(watch.dueMs).toBeUndefined();
    expect(watch.tick(100_000)).toEqual([]);
  });

  it('asks one echo for what is sent within 250 ms, and the next no sooner than 1.5 s later', () => {
    const watch = watchOf('a');
    for (let nowMs = 0; nowMs < 200; nowMs += 10) watch.sent('a', nowMs < 100 ? 'x' : 'y', nowMs);
    expect(runUntil(watch, 260)).toEqual(['250 ask a 1']);
    watch.sent('a', 'z', 270);
    expect(briefly(watch.answered('a', 1, 280))).toEqual(['confirmed a x y']);
    expect(runUntil(watch, 5_000)).toContain('1750 ask a 2');
  });

  it('counts an answer after 1 s as none, and asks again at once until five in a row have told', () => {
    const watch = watchOf('a');
    watch.sent('a', TOPIC, 0);
    watch.heard('a', 0);
    const log = runUntil(watch, 4_900);
    expect(log.filter((line) => line.includes('timedOut'))).toEqual(
      [1_250, 2_250, 3_250, 4_250].map((atMs) => `${atMs} timedOut a t`),
    );
    watch.heard('a', 5_000); // slow, not silent
    expect(runUntil(watch, 60_000)).toEqual(['5250 timedOut a t']);
    expect(watch.dueMs).toBeUndefined();
    expect(watch.isSuspect('a')).toBe(true);
  });

  it('takes an answer for what it is only if it is to the question that is open', () => {
    const watch = watchOf('a', 'b');
    watch.sent('a', TOPIC, 0);
    watch.tick(250);
    expect(watch.answered('a', 2, 300)).toEqual([]);
    expect(watch.answered('b', 1, 300)).toEqual([]);
    watch.tick(1_250);
    expect(watch.answered('a', 1, 1_300)).toEqual([]);
    expect(briefly(watch.answered('a', 2, 1_400))).toEqual(['confirmed a t']);
    expect(watch.isSuspect('a')).toBe(false);
  });

  it('gives a link one more moment when it is we who look late', () => {
    const watch = watchOf('a');
    watch.sent('a', TOPIC, 0);
    watch.tick(250);
    expect(watch.tick(9_000)).toEqual([]);
    expect(briefly(watch.answered('a', 1, 9_001))).toEqual(['confirmed a t']);
    watch.sent('a', TOPIC, 9_010);
    watch.tick(9_260);
    watch.tick(20_000);
    expect(briefly(watch.tick(20_250))).toContain('timedOut a t');
  });

  it('asks a silent link on, and tells when it is heard again, once', () => {
    const watch = watchOf('a');
    watch.sent('a', TOPIC, 0);
    const said: boolean[] = [];
    while (said.length < 4) {
      for (const outcome of watch.tick(watch.dueMs ?? 0))
        if (outcome.type === 'timedOut') said.push(outcome.isSilent);
    }
    expect(said).toEqual([false, false, true, true]); // 3 s without even a late answer
    const asked = runUntil(watch, 25_000).filter((line) => line.includes('ask'));
    expect(asked.length).toBeGreaterThan(7);
    expect(watch.heard('a', 25_100)).toBe(true);
    expect(watch.heard('a', 25_200)).toBe(false);
  });

  it('asks the other links when one is suspect, and takes the fault for its own when most of them are slow', () => {
    const watch = watchOf('a', 'b', 'c');
    watch.sent('a', TOPIC, 0);
    const log = runUntil(watch, 2_300);
    expect(log).toContain('2250 ask b 1');
    expect(log).toContain('2250 ask c 1');
    watch.answered('b', 1, 2_300);
    for (const late of ['a', 'c']) watch.answered(late, 0, 2_300); // to a question that is over
    runUntil(watch, 3_300);
    expect(watch.isOwnFault(3_300)).toBe(true); // a and c slow, b timely
    watch.answered('c', 2, 3_310);
    expect(watch.isOwnFault(3_310)).toBe(false);
    expect(watch.isOwnFault(60_000)).toBe(false);
  });

  it('asks again who was timely before the trouble began, since we may have become slow after that', () => {
    const watch = watchOf('a', 'b');
    for (const peer of ['a', 'b']) watch.sent(peer, TOPIC, 0);
    runUntil(watch, 300);
    for (const peer of ['a', 'b']) watch.answered(peer, 1, 300);
    watch.sent('a', TOPIC, 5_000); // and nothing to b, whose last answer is five seconds old
    expect(runUntil(watch, 7_300)).toContain('7250 ask b 2');
    runUntil(watch, 8_300);
    expect(watch.isOwnFault(8_300)).toBe(true);
  });

  it('gives no vote to peers that never answered, however many, and theirs back to those that answer late', () => {
    const mute = Array.from({ length: 50 }, (_, at) => `mute ${at}`);
    const watch = watchOf('slow', 'fine', ...mute);
    for (const peer of ['slow', ...mute]) watch.sent(peer, TOPIC, 0);
    runUntil(watch, 1_300);
    watch.answered('slow', 1, 1_700);
    runUntil(watch, 2_250); // everybody but 'fine' is suspect, and 'fine' is asked
    watch.answered('fine', 1, 2_300);
    expect(watch.isSuspect('mute 0')).toBe(true);
    expect(watch.isOwnFault(2_300)).toBe(false);
    for (const peer of ['mute 0', 'mute 1']) watch.answered(peer, 1, 2_400);
    expect(watch.isOwnFault(2_400)).toBe(true);
  });

  it('forgets a connection with its peer, open question and all', () => {
    const watch = watchOf('a');
    watch.sent('a', TOPIC, 0);
    watch.tick(250);
    watch.peerUp('a');
    expect(watch.answered('a', 1, 300)).toEqual([]);
    watch.sent('a', TOPIC, 300);
    expect(briefly(watch.tick(550))).toEqual(['ask a 2']);
    watch.peerDown('a');
    watch.tick(9_999);
    expect(watch.dueMs).toBeUndefined();
  });
});
