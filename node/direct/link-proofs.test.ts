import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../../kit/random.ts';
import { LinkProofs, proofWaitMs } from './link-proofs.ts';

const link = (peerId = 'p', generation = 1, initiator: 'us' | 'them' = 'us') => ({
  peerId,
  generation,
  initiator,
});
const UNANSWERED = { outcome: 'unanswered', quietMs: 100 } as const;
const PROVEN = { outcome: 'proven', quietMs: 100 } as const;

/** A core that has known `links` since time 0. */
function coreOf(...links: readonly ReturnType<typeof link>[]) {
  const core = new LinkProofs();
  expect(core.due(links, 0)).toEqual([]);
  return core;
}

test('the opener of a link asks every 10 s, one proof at a time; the other side never', () => {
  const links = [link('p'), link('q', 1, 'them')];
  const core = coreOf(...links);
  expect(core.due(links, 9_999)).toEqual([]);
  expect(core.due(links, 10_000)).toEqual([links[0]]);
  expect(core.due(links, 30_000)).toEqual([]); // it is under way
  expect(core.ended(link(), PROVEN, 30_000)).toBe('keep');
  expect(core.due(links, 39_999)).toEqual([]);
  expect(core.due(links, 40_000)).toEqual([links[0]]);
});

test('a broken link is found within 36 s, the last proof before having come just before it broke', () => {
  const core = coreOf(link());
  let nowMs = 0;
  let waitUntilMs = Number.POSITIVE_INFINITY;
  for (; nowMs < 60_000; nowMs += 1_000) {
    if (nowMs >= waitUntilMs) {
      waitUntilMs = Number.POSITIVE_INFINITY;
      if (core.ended(link(), UNANSWERED, nowMs) === 'close') break;
    }
    if (core.due([link()], nowMs).length > 0) waitUntilMs = nowMs + proofWaitMs({ rttMs: 40 });
  }
  expect(nowMs).toBeLessThanOrEqual(36_000);
});

test('one proof that comes, or a new link, starts the count anew', () => {
  const core = coreOf(link());
  expect(core.ended(link(), UNANSWERED, 1)).toBe('keep');
  expect(core.ended(link(), UNANSWERED, 2)).toBe('keep');
  expect(core.ended(link(), PROVEN, 3)).toBe('keep');
  expect(core.ended(link(), UNANSWERED, 4)).toBe('keep');
  expect(core.ended(link(), UNANSWERED, 5)).toBe('keep');
  core.due([link('p', 2)], 6);
  expect(core.ended(link(), UNANSWERED, 7)).toBe('keep'); // of the old link
  expect(core.ended(link('p', 2), UNANSWERED, 8)).toBe('keep');
});

test('a link that is wholly silent is left to the idle timeout: its peer may be paused', () => {
  const core = coreOf(link());
  for (let nth = 0; nth < 10; nth += 1) {
    expect(core.ended(link(), { outcome: 'unanswered', quietMs: 20_000 + nth }, nth)).toBe('keep');
  }
});

test('what says nothing about the link is no strike, and takes none away', () => {
  const core = coreOf(link());
  core.ended(link(), UNANSWERED, 1);
  core.ended(link(), UNANSWERED, 2);
  for (let nth = 0; nth < 5; nth += 1) {
    expect(core.ended(link(), { outcome: 'inconclusive', quietMs: 0 }, 3)).toBe('keep');
  }
  expect(core.ended(link(), UNANSWERED, 4)).toBe('close');
});

test('the wait is four round trips, between 8 and 20 s', () => {
  expect([null, 1, 1_700, 2_500, 9_000].map((rttMs) => proofWaitMs({ rttMs }))).toEqual([
    8_000, 8_000, 8_000, 10_000, 20_000,
  ]);
});

test('no honest link is closed: 1500 ± 200 ms without loss, 250 ± 30 ms with 0.5 % loss each way, for an hour', () => {
  const paths = [
    { rttMs: 1_500, jitterMs: 200, loss: 0 },
    { rttMs: 250, jitterMs: 30, loss: 0.005 },
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.integer(), (path, seed) => {
      const random = new Random(seed);
      const roll = () => random.int(0, 999_999) / 1_000_000;
      /** A round trip in which each lost packet is sent again after QUIC's probe timeout, which doubles. */
      const roundTripMs = () => {
        let tookMs = path.rttMs + (2 * roll() - 1) * path.jitterMs;
        for (let timeoutMs = 1.5 * path.rttMs; roll() < 2 * path.loss; timeoutMs *= 2) tookMs += timeoutMs;
        return tookMs;
      };
      const core = coreOf(link());
      let nowMs = 0;
      while (nowMs < 3_600_000) {
        nowMs += 1_000;
        if (core.due([link()], nowMs).length === 0) continue;
        const waitMs = proofWaitMs(path);
        const tookMs = roundTripMs();
        nowMs += Math.min(tookMs, waitMs);
        const outcome = tookMs <= waitMs ? 'proven' : 'unanswered';
        expect(core.ended(link(), { outcome, quietMs: 0 }, nowMs)).toBe('keep');
      }
    }),
    { numRuns: 20 },
  );
});
