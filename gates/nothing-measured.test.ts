import { describe, expect, test } from 'vitest';
import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { STALE } from './broken-harms.ts';
import { judge } from './judge.ts';
import { parseGate } from './parse-gate.ts';
import { added, evidenceOf, objectivesThatAre, reasonsText, shippedGate } from './planted-defects.ts';
import { runWith } from './planted-scenarios.ts';

const gates = [shippedGate('limited-production'), shippedGate('broad-launch')];

describe('what was never measured', () => {
  test('an objective about pairs of a plan without pairs is INCONCLUSIVE instead of vanishing', () => {
    const healthy = evidenceOf();
    for (const gate of gates) {
      const verdict = judge({ ...healthy, plan: { ...healthy.plan, pairs: [] } }, gate);
      expect(verdict.overall).toBe('INCONCLUSIVE');
      expect(objectivesThatAre('INCONCLUSIVE', verdict)).toContain('every planned pair delivered');
      expect(reasonsText(verdict)).toContain('every planned pair delivered: nothing was measured');
    }
  });

  test('a gate none of whose scenarios were planned judged nothing, which is INCONCLUSIVE', () => {
    const gate = parseGate(
      'name = "one"\ndescription = "d"\n[[objective]]\nname = "o"\nmetric = "fleet.restart_recovery_secs"\n' +
        'scope = "fleet"\nscenarios = ["restart_storm"]\nlimit = { max = 1 }\nwhy = "w"\n',
      'one.toml',
    );
    const verdict = judge(evidenceOf(), gate);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(reasonsText(verdict)).toContain('one looks at nothing that was planned, so it judged nothing');
  });
});

describe('a process that was to end', () => {
  const exit = (code: number | null, signal: string | null): EvidenceRecord => ({
    type: 'process_exited',
    node: 'nyc',
    role: 'node',
    code,
    signal,
    expected: true,
    last_words: [],
  });

  test.each([
    [1, null, 'code 1'],
    [null, 'SIGKILL', 'signal SIGKILL'],
    [null, 'SIGSEGV', 'signal SIGSEGV'],
    [null, null, 'code null'],
  ])('with code %s and signal %s is NO-GO', (code, signal, how) => {
    for (const gate of gates) {
      const verdict = judge(evidenceOf(added(2, exit(code, signal))), gate);
      expect(objectivesThatAre('NO-GO', verdict)).toEqual(['no unexpected process exit']);
      expect(reasonsText(verdict)).toContain(`node of nyc ended badly when it was stopped (${how})`);
    }
  });

  test('is shown in the window where it ended badly, whatever a fault had killed before', () => {
    const [asked, ...rest] = STALE.records; // it is held down from there until it is seen to be gone
    if (asked === undefined) throw new Error('no fault');
    const held = { ...STALE, records: [asked, exit(null, 'SIGKILL'), ...rest] };
    const exits = (overrides: FixtureOverrides) =>
      judge(evidenceOf(overrides), gates[0] ?? shippedGate('broad-launch')).findings.filter(
        ({ objective, subject }) => objective === 'no unexpected process exit' && subject === 'nyc',
      );
    const run = { ...runWith(held), windows: 2 };
    expect(exits(run)).toMatchObject([{ verdict: 'GO', window: null }]);
    const crash = added(2, exit(1, null));
    const both = exits({ ...run, records: (records) => crash.records(run.records(records)) });
    expect(both).toMatchObject([
      { verdict: 'NO-GO', window: 2, reason: expect.stringContaining('(code 1)') },
    ]);
  });

  test.each([
    [0, null],
    [null, 'SIGTERM'],
  ])('with code %s and signal %s ended well', (code, signal) => {
    for (const gate of gates)
      expect(judge(evidenceOf(added(2, exit(code, signal))), gate).overall).toBe('GO');
  });
});
