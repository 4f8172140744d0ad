import { describe, expect, test } from 'vitest';
import { DOCUMENT_NAMES, type EvidenceRecord, type RecordOf, type SampleRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { missing } from '../proofs/observation.ts';
import { judge } from './judge.ts';
import {
  added,
  changed,
  evidenceOf,
  objectivesThatAre,
  reasonsText,
  shippedGate,
  without,
} from './planted-defects.ts';

const OBJECTIVE = 'telemetry complete over the soak';
const limited = shippedGate('limited-production');
const broad = shippedGate('broad-launch');

const isRound = ({ phase }: SampleRecord) => phase === 'schedule';
const unread = Object.fromEntries(DOCUMENT_NAMES.map((name) => [name, missing('unreadable', 'ETIMEDOUT')]));

/** A schedule of `rounds` rounds, 1 s apart, between the windows; nyc answers nothing in the last `unseen` of them. */
function denseSchedule(rounds: number, unseen: number): FixtureOverrides {
  return {
    records: (records) => {
      const at = records.findIndex((record) => record.type === 'window_started' && record.window === 2);
      const model = records.filter(
        (record): record is SampleRecord => record.type === 'sample' && isRound(record),
      );
      const extra = Array.from({ length: rounds }, (_, round) => round).flatMap((round) =>
        model
          .filter(({ at_mono_ms: atMs }) => atMs === 45_000)
          .map((sample): SampleRecord => {
            const laterMs = Math.round((round + 1) * (14_000 / rounds));
            const epoch =
              sample.epoch === null
                ? null
                : { ...sample.epoch, uptime_secs: sample.epoch.uptime_secs + laterMs / 1_000 };
            const moved = {
              ...sample,
              at_mono_ms: sample.at_mono_ms + laterMs,
              at_wall_ms: sample.at_wall_ms + laterMs,
            };
            const isUnseen = sample.node === 'nyc' && round >= rounds - unseen;
            return isUnseen ? { ...moved, epoch: null, documents: unread } : { ...moved, epoch };
          }),
      );
      return records.toSpliced(at, 0, ...extra);
    },
  };
}

describe('rounds of the schedule', () => {
  test('in which a stopped node answered nothing leave the run undecided, naming node, rounds and time', () => {
    const evidence = evidenceOf(denseSchedule(100, 9));
    for (const gate of [limited, broad]) {
      const verdict = judge(evidence, gate);
      expect(verdict.overall).toBe('INCONCLUSIVE');
      expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual([OBJECTIVE]);
      expect(reasonsText(verdict)).toMatch(
        /nyc: 9 rounds outside windows not seen \(all documents\), 12:00:57.880Z to 12:00:59.000Z/,
      );
    }
  });

  test('may be lost once in a hundred for limited production, and never for a broad launch', () => {
    const evidence = evidenceOf(denseSchedule(100, 1));
    expect(judge(evidence, limited).overall).toBe('GO');
    expect(judge(evidence, broad).overall).toBe('INCONCLUSIVE');
    expect(judge(evidenceOf(denseSchedule(100, 2)), limited).overall).toBe('INCONCLUSIVE');
    expect(judge(evidenceOf(denseSchedule(100, 0)), broad).overall).toBe('GO');
  });

  test('that missed one document count, and name it', () => {
    const partly = changed(
      'sample',
      (sample) => isRound(sample) && sample.node === 'nyc' && sample.at_mono_ms === 60_000,
      (sample) => ({ ...sample, documents: { dm: missing('unreadable', 'HTTP 500') } }),
    );
    const verdict = judge(evidenceOf(partly), broad);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('nyc: 1 rounds outside windows not seen (dm), at 12:01:00.000Z');
  });

  test('that were skipped count for every node', () => {
    const skipped: EvidenceRecord = {
      type: 'telemetry_skipped',
      window: 1,
      rounds: 2,
      why: 'a round took 11 s',
    };
    const verdict = judge(evidenceOf(added(1, skipped)), limited);
    const short = verdict.findings.filter((finding) => finding.verdict !== 'GO');
    expect(short.map(({ subject, verdict: word }) => [subject, word])).toEqual([
      ['ams', 'INCONCLUSIVE'],
      ['nyc', 'INCONCLUSIVE'],
    ]);
    expect(short[0]?.reason).toContain('2 rounds in window 1 were skipped: a round took 11 s');
  });

  test('that nobody recorded, and nobody called skipped, show in the silence that they left', () => {
    const silent = without(
      (record) => record.type === 'sample' && isRound(record) && [45_000, 60_000].includes(record.at_mono_ms),
    );
    const verdict = judge(evidenceOf(silent), broad);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('ams: 2 slots of the schedule passed without a round');
  });

  test('that were never recorded at all leave the run undecided', () => {
    const none = without((record) => record.type === 'sample' && isRound(record));
    const verdict = judge(evidenceOf(none), limited);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('ams: no scheduled round of telemetry was recorded');
  });

  test('in which a node was down for a restart on purpose are excused, and only those', () => {
    const declared: RecordOf<'restart_declared'> = {
      type: 'restart_declared',
      window: 2,
      scenario: 'baseline',
      node: 'nyc',
    };
    const down = (lastRoundMs: number): FixtureOverrides => ({
      epoch: ({ node, atMs }) => {
        const isNew = node === 'nyc' && atMs >= 66_000;
        return {
          boot_id: isNew ? 'boot-new' : `boot-${node}`,
          uptime_secs: (isNew ? -65 : 60) + atMs / 1_000,
        };
      },
      records: (records) =>
        records.flatMap((record): EvidenceRecord[] => {
          if (record.type === 'scenario_started' && record.window === 2 && record.scenario === 'baseline') {
            return [record, declared];
          }
          const isDown =
            record.type === 'sample' &&
            isRound(record) &&
            record.node === 'nyc' &&
            record.at_mono_ms === lastRoundMs;
          const moved =
            record.type === 'sample' && record.at_mono_ms === lastRoundMs && lastRoundMs === 60_000;
          const atMs = moved ? { at_mono_ms: 65_500, at_wall_ms: record.at_wall_ms + 5_500 } : {};
          if (record.type !== 'sample') return [record];
          return [isDown ? { ...record, ...atMs, epoch: null, documents: unread } : record];
        }),
    });
    expect(reasonsText(judge(evidenceOf(down(60_000)), broad))).toBe('');
    expect(judge(evidenceOf(down(45_000)), broad).overall).toBe('INCONCLUSIVE');
    expect(judge(evidenceOf(down(105_000)), broad).overall).toBe('INCONCLUSIVE');
  });
});
