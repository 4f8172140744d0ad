import { describe, expect, test } from 'vitest';
import { judge } from './judge.ts';
import { added, evidenceOf, shippedGate } from './planted-defects.ts';

describe('a node that never came back from a declared restart', () => {
  const at = { window: 1, scenario: 'restart_storm', node: 'nyc' } as const;
  const storm = (last: 'silent' | 'the old process') =>
    evidenceOf({
      windows: 1,
      scenarios: ['baseline', 'fanout_burst', 'restart_storm'],
      records: (records) =>
        added(1, { type: 'restart_declared', ...at }, { type: 'node_recovered', ...at, after_ms: null })
          .records(records)
          .map((record) =>
            last === 'silent' &&
            record.type === 'sample' &&
            record.node === 'nyc' &&
            record.scenario === 'restart_storm' &&
            record.phase === 'post'
              ? { ...record, epoch: null, documents: {} }
              : record,
          ),
    });
  const verdictOn = (last: Parameters<typeof storm>[0]) =>
    judge(storm(last), shippedGate('limited-production')).findings.find(
      ({ objective }) => objective === 'restarted nodes recover',
    );

  test('and has been silent since is NO-GO', () => {
    expect(verdictOn('silent')).toMatchObject({
      verdict: 'NO-GO',
      reason: expect.stringContaining('nyc: never recovered; infinity'),
    });
  });

  test('and is still the old process was not restarted: INCONCLUSIVE', () => {
    expect(verdictOn('the old process')).toMatchObject({ verdict: 'INCONCLUSIVE' });
  });
});
