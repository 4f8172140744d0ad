import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kit/clock.ts';
import { DeadlineError, until } from '../../kit/deadline.ts';
import { biteOf } from '../../proofs/bite.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import { dirtOf, faultHistories } from '../../proofs/fault-history.ts';
import type { Safety } from '../../proofs/safety-schema.ts';
import { edgesBetween, edgesFrom } from '../../scenarios/faults.ts';
import { FaultController } from './fault-controller.ts';
import { type FixtureBreaks, FixtureDriver } from './fixture-driver.ts';

const NODES = ['a', 'b', 'c', 'd', 'e', 'f'];
const SAFETY: Safety = {
  environment: 'local',
  allowed: ['netem', 'partition', 'restart', 'pause'],
  waived: [],
  stop_on: [],
};
const AT = { window: 1, scenario: 's' };
const PAIR = edgesBetween(['b'], ['c']);

function rig(breaks: FixtureBreaks = {}) {
  const driver = new FixtureDriver(breaks);
  const records: EvidenceRecord[] = [];
  const clock = new VirtualClock();
  const abort = new AbortController();
  const controller = new FaultController({
    driver,
    fleet: { anchor: 'a', nodes: NODES },
    safety: SAFETY,
    record: async (entry) => void records.push(entry),
    progress: { show: () => {}, close: () => {} },
    clock,
    signal: abort.signal,
    bootIdOf: driver.bootIdOf,
  });
  const session = controller.openSession(AT);
  return { driver, records, clock, abort, controller, session };
}

/** Lets `work` come to its end on a clock that somebody has to move. */
async function onTheClock<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let state: 'running' | 'over' = 'running';
  const over = work.finally(() => {
    state = 'over';
  });
  over.catch(() => {});
  await until(
    'the work to end',
    async () => {
      await clock.advance(500);
      return state === 'over' ? true : undefined;
    },
    { budgetMs: 20_000, everyMs: 0 },
  );
  return await over;
}

const kinds = (records: readonly EvidenceRecord[]) => [...new Set(records.map(({ type }) => type))];

describe('a fault', () => {
  it('is written down before it is made, measured, held, ended, and proven gone', async () => {
    const { session, clock, records, driver, controller } = rig();
    const cut = await onTheClock(clock, session.cut({ edges: PAIR }));
    expect([...driver.standingLeases.keys()]).toEqual(['f1.c', 'f1.b']);
    await onTheClock(clock, cut.revert());
    await onTheClock(clock, controller.close());
    expect(driver.standingLeases.size).toBe(0);
    expect(kinds(records)).toEqual([
      'fault_requested',
      'fault_measured',
      'fault_applied',
      'fault_reverted',
      'fault_gone',
    ]);
    const [fault] = faultHistories(records);
    expect(fault && biteOf(fault)).toEqual({ bites: 'yes' });
    expect(fault?.gone).toHaveLength(2);
    expect(dirtOf(records)).toEqual([]);
    expect(driver.calls.indexOf('apply f1.b')).toBeLessThan(driver.calls.indexOf('revert f1.b'));
  });

  it('is measured on its edges and on controls that must not feel it', async () => {
    const { session, clock, records } = rig();
    await onTheClock(clock, session.shape({ edges: edgesFrom('f', NODES), delayMs: 1_500 }));
    const during = records.filter((entry) => entry.type === 'fault_measured' && entry.phase === 'during');
    const faulted = during.filter((entry) => entry.type === 'fault_measured' && entry.role === 'faulted');
    expect(faulted).toHaveLength(5);
    expect(during.length - faulted.length).toBeGreaterThan(0);
    const [fault] = faultHistories(records);
    expect(fault && biteOf(fault)).toEqual({ bites: 'yes' });
  });

  it('that does nothing is told from one that bites', async () => {
    const { session, clock, records } = rig({ toothless: 'yes' });
    await onTheClock(clock, session.cut({ edges: PAIR }));
    const [fault] = faultHistories(records);
    expect(fault && biteOf(fault)).toMatchObject({
      bites: 'no',
      why: expect.stringContaining('still answered'),
    });
  });

  it('that one host does not take is taken back from all, and proven gone', async () => {
    const { session, clock, records, driver } = rig({ refusing: ['c'] });
    await expect(onTheClock(clock, session.cut({ edges: PAIR }))).rejects.toThrow(
      /f1 could not be applied: c is gone/,
    );
    expect(driver.standingLeases.size).toBe(0);
    expect(kinds(records)).not.toContain('fault_applied');
    expect(dirtOf(records)).toEqual([]);
  });

  it('is renewed while it is held, three times in its life', async () => {
    const { session, clock, driver } = rig();
    await onTheClock(clock, session.pause('b'));
    const before = driver.calls.length;
    await clock.advance(15_000);
    expect(driver.calls.slice(before)).toEqual(['renew f1.b', 'renew f1.b', 'renew f1.b']);
  });

  it('whose lease is lost leaves that on record', async () => {
    const { session, clock, records } = rig({ forgetful: ['b'] });
    await onTheClock(clock, session.pause('b'));
    await clock.advance(15_000);
    expect(records.filter(({ type }) => type === 'fault_lapsed')).toMatchObject([
      { fault_id: 'f1', node: 'b' },
    ]);
  });

  it('that a scenario left behind ends with the scenario', async () => {
    const { session, clock, driver, controller } = rig();
    await onTheClock(clock, session.cut({ edges: PAIR }));
    await onTheClock(clock, controller.closeSession(session));
    expect(driver.standingLeases.size).toBe(0);
    await expect(session.pause('b')).rejects.toThrow('the scenario is over');
  });

  it('ends although the run was told to end, without waiting for figures', async () => {
    const { session, clock, driver, controller, abort, records } = rig();
    await onTheClock(clock, session.cut({ edges: PAIR }));
    const measured = records.filter(({ type }) => type === 'fault_measured').length;
    abort.abort(new Error('SIGINT'));
    await controller.close(); // no clock moves: nothing is waited for
    expect(driver.standingLeases.size).toBe(0);
    expect(records.filter(({ type }) => type === 'fault_measured')).toHaveLength(measured);
    expect(dirtOf(records)).toEqual([]);
  });

  it.for([
    ['that stays', { sticky: ['c'] }, /f1 .*c: cut stands/],
    ['that nobody can look for', { blind: ['c'] }, /f1 .*c could not be looked at: HOST_UNREACHABLE/],
  ] as const)('%s makes the run dirty', async ([, breaks, why]) => {
    const { session, clock, records, controller } = rig(breaks);
    await onTheClock(clock, session.cut({ edges: PAIR }));
    await onTheClock(clock, controller.close());
    expect(dirtOf(records)).toMatchObject([{ id: 'f1', why: expect.stringMatching(why) }]);
  });

  it('that hosts cannot carry is unavailable, and nothing is touched', async () => {
    const { session, records, driver } = rig({ unable: { shape: 'no sch_netem in this kernel' } });
    await expect(session.shape({ edges: PAIR, delayMs: 10 })).rejects.toThrow(
      /no shape here: b: no sch_netem/,
    );
    expect(records).toEqual([]);
    expect(driver.calls).toEqual([]);
  });

  it('is unavailable where a host does not say in time what it can carry: never a failure of the scenario', async () => {
    const { session, driver, records } = rig();
    driver.capabilities = () => Promise.reject(new DeadlineError('its answer', 1));
    await expect(session.pause('b')).rejects.toMatchObject({ name: 'FaultError', code: 'FAULT_UNAVAILABLE' });
    expect(records).toEqual([]);
  });

  it('of live connections alone is unavailable where hosts cannot tell them from new ones', async () => {
    const { session, records } = rig();
    await expect(session.cut({ edges: PAIR, flows: 'live' })).rejects.toMatchObject({
      code: 'FAULT_UNAVAILABLE',
      message: expect.stringContaining('cannot tell connections made before from new ones'),
    });
    expect(records).toEqual([]);
  });

  it('that a safety net forbids is refused, naming the flag, and nothing is touched', async () => {
    const { session, clock, records, driver } = rig();
    await expect(session.restart(['a'])).rejects.toMatchObject({
      code: 'FAULT_REFUSED',
      details: { flag: '--waive-anchor' },
    });
    expect(records).toEqual([]);
    await onTheClock(clock, session.pause('b'));
    await expect(session.cut({ edges: PAIR })).rejects.toMatchObject({
      details: { flag: '--waive-one-per-host' },
    });
    expect(driver.calls).toEqual(['apply f1.b']);
  });

  it('of two at once on one host is refused even before the first one stands', async () => {
    const { session, clock } = rig();
    const first = session.pause('b');
    await expect(session.stop('b')).rejects.toMatchObject({ code: 'FAULT_REFUSED' });
    await onTheClock(clock, first);
  });
});

describe('a restart', () => {
  it('is declared before it happens, tells when, and shows a new process', async () => {
    const { session, clock, records, driver, controller } = rig();
    const told = await onTheClock(clock, session.restart(['b', 'c']));
    expect([...told.keys()]).toEqual(['b', 'c']);
    expect(driver.calls).toEqual(['restart b', 'restart c']);
    await onTheClock(clock, controller.closeSession(session));
    expect(records.filter(({ type }) => type === 'restart_declared')).toMatchObject([
      { node: 'b' },
      { node: 'c' },
    ]);
    const [fault] = faultHistories(records);
    expect(fault && biteOf(fault)).toEqual({ bites: 'yes' });
    expect(dirtOf(records)).toEqual([]);
  });

  it('that did not take place is told by the process that still answers', async () => {
    const { session, clock, records, controller } = rig({ toothless: 'yes' });
    await onTheClock(clock, session.restart(['b']));
    await onTheClock(clock, controller.closeSession(session));
    const [fault] = faultHistories(records);
    expect(fault && biteOf(fault)).toMatchObject({ bites: 'no', why: 'b was still the same process' });
  });
});
