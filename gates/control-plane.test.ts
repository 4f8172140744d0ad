import { describe, expect, test } from 'vitest';
import type { RecordOf } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { judge } from './judge.ts';
import {
  changed,
  evidenceOf,
  objectivesThatAre,
  reasonsText,
  shippedGate,
  without,
} from './planted-defects.ts';

const OBJECTIVE = 'the control plane lost nothing';
const gates = [shippedGate('limited-production'), shippedGate('broad-launch')];

type Tally = RecordOf<'control_tally'>;

function tallied(change: Partial<Tally>): FixtureOverrides {
  return changed(
    'control_tally',
    ({ window, node }) => window === 2 && node === 'nyc',
    (tally) => ({ ...tally, ...change }),
  );
}

describe.each(gates)('the control plane, judged by $name', (gate) => {
  test('is INCONCLUSIVE in the window in which a result never arrived, with what else was odd', () => {
    const verdict = judge(evidenceOf(tallied({ lost: 2, malformed: 3, forged: 1 })), gate);
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['GO', 'INCONCLUSIVE']);
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual([OBJECTIVE]);
    expect(reasonsText(verdict)).toContain(
      'nyc: 2 results of its runner never arrived; nyc: 1 forged and 3 malformed',
    );
  });

  test('is NO-GO when a runner restarted', () => {
    const verdict = judge(evidenceOf(tallied({ restarts: 1 })), gate);
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['GO', 'NO-GO']);
    expect(reasonsText(verdict)).toContain(`NO-GO ${OBJECTIVE}: runner of nyc restarted`);
  });

  test('passes with doubled, forged and malformed messages and reconnects, since nothing was lost', () => {
    const noisy = tallied({ doubled: 4, forged: 1, malformed: 1, reconnects: 2 });
    const verdict = judge(evidenceOf(noisy), gate);
    expect(verdict.overall).toBe('GO');
    const reasons = verdict.findings
      .filter(({ objective }) => objective === OBJECTIVE)
      .map(({ reason }) => reason);
    expect(reasons[1]).toContain('nyc: 1 forged and 1 malformed messages');
  });

  test('is judged outside windows too', () => {
    const outside: FixtureOverrides = {
      records: (records) =>
        records.flatMap((record) =>
          record.type === 'control_tally' && record.window === 2
            ? [record, { ...record, window: null, lost: 1 }]
            : [record],
        ),
    };
    const verdict = judge(evidenceOf(outside), gate);
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['GO', 'GO']);
    expect(verdict.overall).toBe('INCONCLUSIVE');
  });

  test('is INCONCLUSIVE for a runner whose tally is gone', () => {
    const gone = without(
      (record) => record.type === 'control_tally' && record.window === 1 && record.node === 'ams',
    );
    const verdict = judge(evidenceOf(gone), gate);
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['INCONCLUSIVE', 'GO']);
    expect(reasonsText(verdict)).toContain('ams: its control channel was not tallied');
  });

  test('is INCONCLUSIVE when nobody tallied it at all', () => {
    const verdict = judge(evidenceOf(without((record) => record.type === 'control_tally')), gate);
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['INCONCLUSIVE', 'INCONCLUSIVE']);
  });
});
