import { describe, expect, test } from 'vitest';
import { DOCUMENT_NAMES, type EvidenceRecord, type SampleRecord } from '../proofs/evidence.ts';
import { healthyPause, healthyRestart } from '../proofs/fixture-faults.ts';
import { missing, type Observation } from '../proofs/observation.ts';
import { judge } from './judge.ts';
import { evidenceOf, restarted, shippedGate } from './planted-defects.ts';

const AT = { window: 1, scenario: 'restart_storm' } as const;
const unread = Object.fromEntries(
  DOCUMENT_NAMES.map((name) => [name, missing('unreadable', 'ECONNREFUSED')]),
);
const broad = shippedGate('broad-launch');

/** The samples around the scenario stand at 30 s and 40 s; the new process of nyc began at 36 s. */
const STEP_MS = 10_000;

/** One round of the schedule; `nyc` answers nothing, as the old process, or as the new one. */
function round(atSecs: number, nyc: 'silent' | 'old' | 'new'): EvidenceRecord[] {
  const epochs = {
    silent: null,
    old: { boot_id: 'boot-nyc', uptime_secs: 60 + atSecs },
    new: { boot_id: 'reboot-nyc', uptime_secs: atSecs - 36 },
  };
  const of = (node: string, epoch: SampleRecord['epoch']): SampleRecord => ({
    type: 'sample',
    ...AT,
    phase: 'schedule',
    node,
    at_wall_ms: atSecs * 1_000,
    at_mono_ms: atSecs * 1_000,
    took_ms: 12,
    epoch,
    documents: epoch === null ? unread : {},
    gauges: {},
  });
  return [of('ams', { boot_id: 'boot-ams', uptime_secs: 60 + atSecs }), of('nyc', epochs[nyc])];
}

const recovered = (after_ms: number | null): EvidenceRecord => ({
  type: 'node_recovered',
  ...AT,
  node: 'nyc',
  after_ms,
});

/** A restart of nyc that is made between the records before and those after; the last two close the books on it. */
function restart(before: readonly EvidenceRecord[], after: readonly EvidenceRecord[]) {
  const fault = healthyRestart(AT, 'f1', 'nyc');
  const made = fault.findIndex(({ type }) => type === 'fault_applied');
  return [...fault.slice(0, made), ...before, ...fault.slice(made, made + 1), ...after, ...fault.slice(-2)];
}

/** Rounds of nyc that count as unseen while the scenario does `work`. */
function unseen(work: readonly EvidenceRecord[], last: 'comes back' | 'stays away' = 'comes back') {
  const records = (healthy: readonly EvidenceRecord[]) =>
    healthy.flatMap((record): EvidenceRecord[] => {
      if (record.type !== 'sample' || record.at_mono_ms < 4 * STEP_MS) return [record];
      const isFirst = record.phase === 'post' && record.node === 'ams';
      const isAway = record.node === 'nyc' && last === 'stays away';
      return [...(isFirst ? work : []), isAway ? { ...record, epoch: null, documents: unread } : record];
    });
  const evidence = evidenceOf({
    windows: 1,
    scenarios: ['baseline', 'restart_storm'],
    stepMs: STEP_MS,
    ...(work.some(({ type }) => type === 'restart_declared') && restarted('nyc', 4)),
    records,
  });
  const { value } =
    judge(evidence, broad).findings.find(
      ({ objective, subject }) => objective === 'telemetry complete over the soak' && subject === 'nyc',
    ) ?? {};
  const all = evidence.records.filter(
    (record) => record.type === 'sample' && record.phase === 'schedule' && record.node === 'nyc',
  ).length;
  return Math.round(seenNumber(value) * all);
}

function seenNumber(value: Observation<number | 'infinity'> | undefined): number {
  return value !== undefined && 'seen' in value ? Number(value.seen) : Number.NaN;
}

describe('rounds that a node on its way through a restart did not answer', () => {
  test('are excused until its new process was seen', () => {
    const work = restart(round(32, 'silent'), [
      ...round(34, 'silent'),
      ...round(37, 'new'),
      recovered(3_000),
      ...round(39, 'new'),
    ]);
    expect(unseen(work)).toBe(0);
  });

  test('count again when it came back and fell silent, though the scenario goes on', () => {
    const work = restart(round(32, 'silent'), [
      ...round(37, 'new'),
      recovered(3_000),
      ...round(38, 'silent'),
      ...round(39, 'silent'),
    ]);
    expect(unseen(work)).toBe(2);
  });

  test('count from when its time to come back was over, but for the round that was under way', () => {
    const work = restart(round(32, 'silent'), [
      ...round(34, 'silent'),
      recovered(null),
      ...round(36, 'silent'),
      ...round(38, 'silent'),
      ...round(39, 'silent'),
    ]);
    expect(unseen(work)).toBe(2);
  });

  test('count after its scenario, where nothing else says when its time was over', () => {
    const work = restart(round(32, 'silent'), round(38, 'silent'));
    expect(unseen(work, 'stays away')).toBe(1); // the round after the window
  });

  test('are not excused by a restart that nobody declared', () => {
    const work = restart(round(32, 'silent'), [...round(34, 'silent'), ...round(37, 'new')]);
    expect(unseen(work.filter(({ type }) => type !== 'restart_declared'))).toBe(1);
  });
});

test('rounds that a paused node did not answer are excused until the pause is gone, and no longer', () => {
  const pause = healthyPause(AT, 'f1', 'nyc');
  const held = [...pause.slice(0, -1), ...round(33, 'silent'), ...round(36, 'silent'), ...pause.slice(-1)];
  expect(unseen(held)).toBe(0);
  expect(unseen([...held, ...round(38, 'silent')])).toBe(1);
});
