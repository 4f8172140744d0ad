import { describe, expect, test } from 'vitest';
import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { PARTITION } from './broken-partitions.ts';
import { judge } from './judge.ts';
import {
  changed,
  evidenceOf,
  objectivesThatAre,
  reasonsText,
  shippedGate,
  without,
} from './planted-defects.ts';
import { runWith } from './planted-scenarios.ts';

const gate = shippedGate('limited-production');
const FAULT = 'every fault took hold and is gone';

/** The verdict on a good partition with one change of its records. */
function judged(change: Required<Pick<FixtureOverrides, 'records'>>) {
  const good = runWith(PARTITION);
  const records = (all: readonly EvidenceRecord[]) => change.records(good.records(all));
  return judge(evidenceOf({ ...good, records }), gate);
}

const anything = () => true;

describe('a fault in the evidence', () => {
  test('that bit and is gone is a GO that names it', () => {
    const verdict = judge(evidenceOf(runWith(PARTITION)), gate);
    expect(verdict.overall).toBe('GO');
    expect(verdict.findings.find(({ objective }) => objective === FAULT)).toMatchObject({
      verdict: 'GO',
      window: 1,
      scenario: 'partition_recovery',
      reason: 'fault f1 (cut of ams; nyc): felt where it was meant to be, and proven gone',
    });
  });

  test.each<readonly [string, Required<Pick<FixtureOverrides, 'records'>>, RegExp]>([
    [
      'that nobody felt',
      changed(
        'fault_measured',
        ({ phase }) => phase === 'during',
        (record) => ({
          ...record,
          probes: { sent: 3, answered: 3, rtt_ms: 0.4 },
          matched_packets: 0,
        }),
      ),
      /did not bite: ams→nyc still answered/,
    ],
    [
      'on edges that were silent before',
      changed(
        'fault_measured',
        ({ phase }) => phase !== 'after',
        (record) => ({
          ...record,
          probes: { sent: 3, answered: 0, rtt_ms: null },
          matched_packets: 0,
        }),
      ),
      /cannot be told to have bitten: ams→nyc did not answer before it either/,
    ],
    [
      'that was felt beside its edges too',
      {
        records: (records) =>
          records.flatMap((record): EvidenceRecord[] =>
            record.type === 'fault_measured'
              ? [record, { ...record, role: 'control', edge: ['ams', 'sfo'] }]
              : [record],
          ),
      },
      /did not bite: control ams→sfo stopped answering too/,
    ],
    [
      'that could not be measured',
      changed(
        'fault_measured',
        ({ phase }) => phase === 'during',
        (record) => ({
          ...record,
          probes: null,
          matched_packets: null,
          unreadable: 'HOST_LOST: gone',
        }),
      ),
      /cannot be told to have bitten: ams→nyc could not be probed: HOST_LOST: gone/,
    ],
    [
      'that was never measured',
      without(({ type }) => type === 'fault_measured'),
      /was never measured while it stood/,
    ],
    ['that was never applied', without(({ type }) => type === 'fault_applied'), /was never applied/],
    [
      'that lapsed at one host',
      {
        records: (records) =>
          records.flatMap((record): EvidenceRecord[] =>
            record.type === 'fault_reverted'
              ? [{ type: 'fault_lapsed', fault_id: 'f1', node: 'nyc', why: 'not there' }, record]
              : [record],
          ),
      },
      /lost its hold at nyc: not there/,
    ],
    [
      'that stands',
      changed('fault_gone', anything, (record) => ({ ...record, proven: false, why: 'nyc: cut stands' })),
      /is not proven gone: nyc: cut stands; look at its hosts and heal them/,
    ],
    [
      'that nobody looked for afterwards',
      without(({ type }) => type === 'fault_gone'),
      /nobody looked whether it is gone/,
    ],
    [
      'that a destructive scenario never made',
      without(({ type }) => type.startsWith('fault_')),
      /partition_recovery of window 1 made no fault/,
    ],
  ])('%s leaves its scenario undecided', (_, change, reason) => {
    const verdict = judged(change);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toContain(FAULT);
    expect(reasonsText(verdict)).toMatch(reason);
  });

  test('that is found to stand by the last look is dirty, whatever was found before', () => {
    const verdict = judged({
      records: (records) =>
        records.flatMap((record): EvidenceRecord[] =>
          record.type === 'fault_gone' ? [record, { ...record, proven: false, why: 'it is back' }] : [record],
        ),
    });
    expect(reasonsText(verdict)).toContain('not proven gone: it is back');
  });
});
