import { expect, it } from 'vitest';
import { Announcements } from './announcements.ts';

const TOLD = { topic: 't', hops: 1 };

/** Adds a message every `everyMs` and flushes when due; gives the times of the flushes that told something. */
function runFor(
  announcements: Announcements,
  { fromMs = 0, forMs, everyMs }: { fromMs?: number; forMs: number; everyMs: number },
): { readonly atMs: number; readonly ids: number }[] {
  const flushes: { atMs: number; ids: number }[] = [];
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 1) {
    if ((nowMs - fromMs) % everyMs === 0) announcements.add(['b'], `${nowMs}`, TOLD, nowMs);
    if ((announcements.dueMs ?? Number.POSITIVE_INFINITY) > nowMs) continue;
    const frames = announcements.flush(nowMs);
    const ids = frames.flatMap(({ frame }) => (frame.kind === 'ihave' ? frame.topics : []));
    if (frames.length > 0)
      flushes.push({ atMs: nowMs, ids: ids.reduce((sum, { entries }) => sum + entries.length, 0) });
  }
  return flushes;
}

const gaps = (flushes: readonly { readonly atMs: number }[]) =>
  flushes.slice(1).map(({ atMs }, at) => atMs - (flushes[at]?.atMs ?? 0));

it('batches that have something to gather grow to 400 ms within 4 s, and tell everything', () => {
  const announcements = new Announcements();
  const flushes = runFor(announcements, { forMs: 10_000, everyMs: 15 });
  expect(gaps(flushes)[0]).toBeLessThanOrEqual(110);
  for (const gap of gaps(flushes.filter(({ atMs }) => atMs > 4_000))) expect(gap).toBeLessThanOrEqual(401);
  expect(Math.max(...gaps(flushes))).toBeGreaterThanOrEqual(400);
  const told = flushes.reduce((sum, { ids }) => sum + ids, 0);
  expect(told).toBeGreaterThanOrEqual(Math.floor((10_000 - 460) / 15));
});

it('sparse messages are told 50 ms after they came, also after a busy time', () => {
  const announcements = new Announcements();
  runFor(announcements, { forMs: 10_000, everyMs: 15 });
  runFor(announcements, { fromMs: 10_000, forMs: 10_000, everyMs: 2_000 });
  const flushes = runFor(announcements, { fromMs: 20_000, forMs: 10_000, everyMs: 2_000 });
  expect(flushes.map(({ atMs }) => atMs % 2_000)).toEqual([50, 50, 50, 50, 50]);
});

it('no message is told before the tree had 50 ms to bring it', () => {
  const announcements = new Announcements();
  announcements.add(['b'], 'old', TOLD, 0);
  announcements.add(['b'], 'young', TOLD, 30);
  expect(announcements.flush(50)).toMatchObject([{ frame: { topics: [{ entries: [{ id: 'old' }] }] } }]);
  const dueMs = announcements.dueMs ?? Number.NaN;
  expect(dueMs).toBeGreaterThanOrEqual(80);
  expect(announcements.flush(dueMs)).toMatchObject([{ frame: { topics: [{ entries: [{ id: 'young' }] }] } }]);
  expect(announcements.dueMs).toBeUndefined();
});

it('repeated misses of the tree bring the batches back to their shortest, one miss does not', () => {
  const announcements = new Announcements();
  runFor(announcements, { forMs: 10_000, everyMs: 15 });
  announcements.treeMissed(10_000);
  expect(announcements.dueMs).toBeLessThanOrEqual(10_200);
  expect(announcements.dueMs).toBeGreaterThan(10_000);
  for (let nowMs = 10_001; nowMs < 10_005; nowMs += 1) announcements.treeMissed(nowMs);
  expect(announcements.dueMs).toBeLessThanOrEqual(10_060);
});

it('neighbours with another stretch do not flush at the same time', () => {
  const [one, other] = [new Announcements(0), new Announcements(0.5)];
  one.add(['b'], 'm', TOLD, 0);
  other.add(['a'], 'm', TOLD, 0);
  expect(one.dueMs).not.toBe(other.dueMs);
});

it('batches grow over bursts whatever their rhythm, judged by what they told', () => {
  const announcements = new Announcements();
  let frames = 0;
  for (let nowMs = 0; nowMs < 5_000; nowMs += 1) {
    if (nowMs % 100 < 6) announcements.add(['b'], `${nowMs}`, TOLD, nowMs);
    if ((announcements.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs)
      frames += announcements.flush(nowMs).length;
  }
  expect(frames).toBeLessThan(20);
});
