import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { fixtureHost } from './fixture-host.ts';
import { HostError } from './host-error.ts';
import type { ControlChange } from './mesh-host.ts';
import { UnitWatcher } from './unit-watcher.ts';

const EVERY_MS = 2_000;
const signal = new AbortController().signal;
const ONE = 'a'.repeat(32);
const TWO = 'b'.repeat(32);
const lostWay = () => new HostError('HOST_LOST', 'lab1', 'the connection ended');

/** One host whose node runs as `invocation`, watched by a clock of its own. */
async function watched() {
  const shown = { invocation: ONE, pid: 10 };
  const way: {
    state: 'stands' | 'lost';
    journal: 'stands' | 'lost';
    asked: number;
    looks: number;
    atOnce: number;
  } = {
    ...{ state: 'stands', journal: 'stands', asked: 0, looks: 0, atOnce: 0 },
  };
  let hold: Promise<void> | null = null;
  let atOnce = 0;
  const host = fixtureHost('lab1', async ([program]) => {
    atOnce += 1;
    way.asked += 1;
    way.atOnce = Math.max(way.atOnce, atOnce);
    try {
      await hold;
      if (way.state === 'lost') throw lostWay();
      if (program !== 'systemctl') {
        if (way.journal === 'lost') throw lostWay();
        return `{"MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"killed","EXIT_STATUS":"9"}\n===\nbye\n`;
      }
      way.looks += 1;
      return `MainPID=${shown.pid}\nNRestarts=0\nId=meshproof-node.service\nActiveState=active\nInvocationID=${shown.invocation}\n`;
    } finally {
      atOnce -= 1;
    }
  });
  const clock = new VirtualClock(1_000);
  const watcher = await UnitWatcher.start([host], signal, clock);
  const ends: unknown[] = [];
  const changes: ControlChange[] = [];
  watcher.onProcessEnd((end, manner) => ends.push({ ...end, manner }));
  watcher.onControlChange((change) => changes.push(change));
  const holdLooks = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    hold = promise;
    return () => {
      hold = null;
      resolve();
    };
  };
  return { watcher, clock, shown, way, ends, changes, holdLooks };
}

describe('watching the units of a host', () => {
  it('tells within two seconds what ended, with how the journal says that it did', async () => {
    const { watcher, clock, shown, ends } = await watched();
    await clock.advance(EVERY_MS);
    expect(ends).toEqual([]);
    shown.invocation = TWO;
    await clock.advance(EVERY_MS);
    expect(ends).toEqual([
      {
        ...{ node: 'lab1', role: 'node', code: null, signal: 'SIGKILL' },
        ...{ lastWords: ['bye'], manner: 'unexpected' },
      },
    ]);
    await watcher.stop();
  });

  it('expects what was announced', async () => {
    const { watcher, clock, shown, ends } = await watched();
    watcher.endExpected('lab1', 'node');
    shown.invocation = TWO;
    await clock.advance(EVERY_MS);
    expect(ends).toMatchObject([{ manner: 'expected' }]);
    await watcher.stop();
  });

  it('tells an end although its journal cannot be read, and why it cannot', async () => {
    const { watcher, clock, shown, way, ends } = await watched();
    way.journal = 'lost';
    shown.pid = 0;
    await clock.advance(EVERY_MS);
    expect(ends).toMatchObject([
      { code: null, signal: null, lastWords: [expect.stringContaining('the connection ended')] },
    ]);
    await watcher.stop();
  });

  it('tells those who listen late what they missed', async () => {
    const { watcher, clock, shown, way } = await watched();
    shown.invocation = TWO;
    await clock.advance(EVERY_MS);
    way.state = 'lost';
    await clock.advance(EVERY_MS);
    const late: unknown[] = [];
    watcher.onProcessEnd(({ role }) => late.push(role));
    watcher.onControlChange(({ state }) => late.push(state));
    expect(late).toEqual(['node', 'lost']);
    await watcher.stop();
  });

  it('looks a last time when it stops', async () => {
    const { watcher, shown, ends } = await watched();
    shown.pid = 0;
    await watcher.stop();
    expect(ends).toHaveLength(1);
  });
});

describe('a way that is lost', () => {
  it('is told once, from when it was last known to stand, and is no end of anything', async () => {
    const { watcher, clock, way, ends, changes } = await watched();
    await clock.advance(EVERY_MS);
    way.state = 'lost';
    await clock.advance(3 * EVERY_MS);
    expect(changes).toEqual([
      {
        ...{ node: 'lab1', state: 'lost', code: 'HOST_LOST', sinceMs: 3_000 },
        why: expect.stringContaining('the connection ended'),
      },
    ]);
    way.state = 'stands';
    await clock.advance(EVERY_MS);
    expect(changes[1]).toEqual({ node: 'lab1', state: 'regained', afterMs: 6_000, atMs: 11_000 });
    expect(ends).toEqual([]);
    await watcher.stop();
    expect(changes).toHaveLength(2);
  });

  it('still shows afterwards what ended meanwhile', async () => {
    const { watcher, clock, shown, way, ends } = await watched();
    way.state = 'lost';
    await clock.advance(EVERY_MS);
    shown.invocation = TWO;
    way.state = 'stands';
    await clock.advance(EVERY_MS);
    expect(ends).toMatchObject([{ manner: 'unexpected' }]);
    await watcher.stop();
  });

  it('is told at once to who asks, and only when it is asked of that host', async () => {
    const { watcher, way, changes } = await watched();
    way.state = 'lost';
    await watcher.checkWays(signal, ['lab2']);
    expect(changes).toEqual([]);
    await watcher.checkWays(signal, ['lab1']);
    expect(changes).toMatchObject([{ state: 'lost', sinceMs: 1_000 }]);
    const { asked } = way;
    await watcher.checkWays(signal);
    expect(changes).toHaveLength(1);
    expect(way.asked, 'what is told already is not looked at again').toBe(asked);
    await watcher.stop();
  });

  it('is looked at by one look at a time, which all who ask wait for', async () => {
    const { watcher, clock, way, holdLooks } = await watched();
    const release = holdLooks();
    await clock.advance(EVERY_MS);
    const asked = [watcher.checkWays(signal), watcher.checkWays(signal)];
    release();
    await Promise.all(asked);
    expect(way).toMatchObject({ looks: 3, atOnce: 1 });
    await watcher.stop();
  });

  it('is noticed by the last look too', async () => {
    const { watcher, way, changes } = await watched();
    way.state = 'lost';
    await watcher.stop();
    expect(changes).toMatchObject([{ state: 'lost', code: 'HOST_LOST' }]);
  });
});
