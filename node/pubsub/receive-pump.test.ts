import { describe, expect, it } from 'vitest';
import { realClock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import type { PeerLink } from '../transport/transport.ts';
import { type Job, ReceivePump } from './receive-pump.ts';

const address = { host: '127.0.0.1', port: 1 };
const link: PeerLink = {
  peerId: 'aa',
  agentId: 'bb',
  agentPublicKey: new Uint8Array(0),
  generation: 1,
  initiator: 'us',
  remote: address,
  listenAddress: address,
  establishedAtMs: 0,
  features: [],
};
const other: PeerLink = { ...link, peerId: 'cc' };
const frame = Uint8Array.of(1);

function pumpOf(
  options: { capacity?: number; watchdogMs?: number },
  handle: (job: Job) => void | Promise<void>,
) {
  const errors: unknown[] = [];
  const pump = new ReceivePump(
    { capacity: options.capacity ?? 100, watchdogMs: options.watchdogMs ?? 30_000 },
    { clock: realClock, handle, failed: (_link, error) => errors.push(error) },
  );
  return { pump, errors };
}

/** A handler whose every job waits until told. */
function held() {
  const releases: (() => void)[] = [];
  return { handle: () => new Promise<void>((resolve) => releases.push(resolve)), releases };
}

function expectBooksBalance({ counts, depth, inFlight }: ReceivePump): void {
  const { produced, enqueued, droppedFull, shedPriority, droppedClosed, dequeued, completed, timedOut } =
    counts;
  expect(produced).toBe(enqueued + droppedFull + shedPriority + droppedClosed);
  expect(enqueued).toBe(dequeued + depth);
  expect(dequeued).toBe(completed + timedOut + inFlight);
}

describe('receive pump', () => {
  it('handles frames at once, in order, without a queue when nothing waits', () => {
    const seen: Uint8Array[] = [];
    const { pump } = pumpOf({}, (job) => void seen.push(job.frame));
    const frames = [1, 2, 3].map((value) => Uint8Array.of(value));
    for (const each of frames) pump.offer(link, each, 'kept');
    expect(seen).toEqual(frames);
    expect(pump.counts).toMatchObject({ produced: 3, completed: 3 });
    expectBooksBalance(pump);
  });

  it('runs as many waiting handlers as it has workers and queues the rest', async () => {
    const { handle, releases } = held();
    const { pump } = pumpOf({}, handle);
    pump.workers = 2;
    for (let at = 0; at < 5; at += 1) pump.offer(link, frame, 'kept');
    expect([pump.inFlight, pump.depth]).toEqual([2, 3]);
    expectBooksBalance(pump);
    await until(
      'all are done',
      () => {
        for (const release of releases.splice(0)) release();
        return pump.counts.completed === 5 ? true : undefined;
      },
      { budgetMs: 20_000, everyMs: 1 },
    );
    expectBooksBalance(pump);
  });

  it('sheds what can be said again from 90 % and drops the rest only when full, by peer', () => {
    const { pump } = pumpOf({ capacity: 10 }, held().handle);
    pump.workers = 1;
    for (let at = 0; at < 10; at += 1) pump.offer(link, frame, 'kept'); // one runs, nine wait
    pump.offer(link, frame, 'shed');
    expect(pump.counts).toMatchObject({ shedPriority: 1, droppedFull: 0 });
    pump.offer(link, frame, 'kept');
    expect(pump.counts.droppedFull).toBe(0);
    pump.offer(link, frame, 'kept');
    expect(pump.counts.droppedFull).toBe(1);
    expect(pump.perPeer.get('aa')).toEqual({ produced: 13, droppedFull: 1, pauses: 0 });
    expect(pump.maxDepth).toBe(10);
    expectBooksBalance(pump);
  });

  it('lets peers take turns: whoever sends more waits behind its own frames', async () => {
    const handled: string[] = [];
    const { pump } = pumpOf({}, ({ link: { peerId } }) => {
      handled.push(peerId);
      // While one frame is being handled, a flood comes, and then one frame of another peer.
      if (handled.length > 1) return;
      for (let at = 0; at < 90; at += 1) pump.offer(link, new Uint8Array(4_096), 'kept');
      pump.offer(other, new Uint8Array(4_096), 'kept');
    });
    pump.offer(link, frame, 'kept');
    await until('every frame', () => handled.length === 92 || undefined, { budgetMs: 10_000, everyMs: 5 });
    expect(handled.indexOf('cc')).toBeLessThan(5);
    expectBooksBalance(pump);
  });

  it('has a reader pause from 64 waiting frames on until half of them are handled, and no other', async () => {
    const { handle, releases } = held();
    const { pump } = pumpOf({ capacity: 1_000 }, handle);
    pump.workers = 1;
    for (let at = 0; at < 64; at += 1) pump.offer(link, frame, 'kept'); // one is being handled
    pump.offer(other, frame, 'kept');
    expect(pump.pauseFor('aa')).toBeUndefined();
    pump.offer(link, frame, 'kept');
    const pause = pump.pauseFor('aa');
    expect(pause).toBeDefined();
    expect(pump.pauseFor('cc')).toBeUndefined();
    let isReading = false;
    void pause?.then(() => {
      isReading = true;
    });
    const handleOne = async () => {
      releases.shift()?.();
      await new Promise(setImmediate);
    };
    while (pump.depth > 34) await handleOne();
    expect(isReading).toBe(false);
    while (pump.depth > 30) await handleOne();
    expect(isReading).toBe(true);
    expect(pump.perPeer.get('aa')).toMatchObject({ pauses: 1, droppedFull: 0 });
    expect(pump.perPeer.get('cc')).toMatchObject({ pauses: 0 });
    expectBooksBalance(pump);
  });

  it('takes no more than 2,048 frames of one peer that does not pause', () => {
    const { pump } = pumpOf({ capacity: 10_000 }, held().handle);
    pump.workers = 1;
    for (let at = 0; at < 5_000; at += 1) pump.offer(link, frame, 'kept');
    pump.offer(other, frame, 'kept');
    expect(pump.depth).toBe(2_049);
    expect(pump.perPeer.get('aa')?.droppedFull).toBe(5_000 - 2_049);
    expect(pump.perPeer.get('cc')?.droppedFull).toBe(0);
    expectBooksBalance(pump);
  });

  it('ends a stuck handler, tells it by its signal, and goes on with the next', async () => {
    let aborted = 0;
    let runs = 0;
    const { pump } = pumpOf({ watchdogMs: 20 }, (job) => {
      runs += 1;
      if (runs > 1) return;
      job.signal.addEventListener('abort', () => {
        aborted += 1;
      });
      return new Promise(() => {});
    });
    pump.workers = 1;
    pump.offer(link, frame, 'kept');
    pump.offer(link, frame, 'kept');
    await until('the next ran', () => (runs === 2 ? true : undefined), { budgetMs: 20_000, everyMs: 2 });
    expect(aborted).toBe(1);
    expect(pump.counts).toMatchObject({ timedOut: 1, completed: 1 });
    expectBooksBalance(pump);
  });

  it('hands over what a handler throws or rejects with, and counts it as done', async () => {
    let runs = 0;
    const { pump, errors } = pumpOf({}, () => {
      runs += 1;
      if (runs === 1) throw new Error('thrown');
      return Promise.reject(new Error('rejected'));
    });
    pump.offer(link, frame, 'kept');
    pump.offer(link, frame, 'kept');
    await until('both are done', () => (pump.counts.completed === 2 ? true : undefined), {
      budgetMs: 20_000,
      everyMs: 1,
    });
    expect(errors.map(String)).toEqual(['Error: thrown', 'Error: rejected']);
  });

  it('drops everything once closed, and says so', () => {
    const { pump } = pumpOf({}, held().handle);
    pump.workers = 1;
    pump.offer(link, frame, 'kept');
    pump.offer(link, frame, 'kept');
    pump.close();
    pump.offer(link, frame, 'kept');
    expect(pump.counts).toMatchObject({ produced: 3, enqueued: 1, droppedClosed: 2 });
  });

  it('holds no reader once closed', async () => {
    const { pump } = pumpOf({ capacity: 1_000 }, held().handle);
    pump.workers = 1;
    for (let at = 0; at < 100; at += 1) pump.offer(link, frame, 'kept');
    const pause = pump.pauseFor('aa');
    expect(pause).toBeDefined();
    pump.close();
    await pause;
    expect(pump.pauseFor('aa')).toBeUndefined();
  });
});
