import { describe, expect, test } from 'vitest';
import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { SCENARIO_MEASURES } from '../proofs/scenario-measures.ts';
import { PARTITION } from './broken-partitions.ts';
import { judge } from './judge.ts';
import { metricNamed } from './metric-registry.ts';
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

function judged(change: Required<Pick<FixtureOverrides, 'records'>>) {
  const { records, ...run } = runWith(PARTITION);
  const all = (healthy: readonly EvidenceRecord[]) => change.records(records(healthy));
  return judge(evidenceOf({ ...run, records: all }), gate);
}

const isFigure = (name: string) => (record: EvidenceRecord) =>
  record.type === 'measurement' && record.name === name;

describe('a figure that a scenario declares', () => {
  test('is a metric under its name, whatever the scenario', () => {
    for (const [scenario, measures] of Object.entries(SCENARIO_MEASURES)) {
      for (const name of Object.keys(measures)) {
        expect(metricNamed(`scenario.${scenario}.${name}`)).toMatchObject({ onlyIn: scenario });
      }
    }
  });

  test.each(['resync_secs', 'unsynced_nodes', 'delivered_after_ratio', 'anti_entropy_rounds'])(
    'that was not recorded is INCONCLUSIVE: %s',
    (name) => {
      const verdict = judged(without(isFigure(name)));
      expect(verdict.overall).toBe('INCONCLUSIVE');
      expect(reasonsText(verdict)).toContain(`${name} of partition_recovery was not recorded in window 1`);
    },
  );

  test('that has no value is INCONCLUSIVE for the reason that it gives', () => {
    const verdict = judged(
      changed('measurement', isFigure('resync_secs'), (record) => ({
        ...record,
        value: null,
        why: 'too late',
      })),
    );
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual(['logs equal in time after a partition']);
    expect(reasonsText(verdict)).toContain('resync_secs: too late');
  });

  test('of one target that lacks it is INCONCLUSIVE for that node', () => {
    const verdict = judged(
      without(
        (record) => isFigure('anti_entropy_rounds')(record) && 'node' in record && record.node === 'nyc',
      ),
    );
    expect(reasonsText(verdict)).toMatch(/nyc: anti_entropy_rounds of partition_recovery was not recorded/);
  });
});
