import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EvidenceRecord, Finding } from '../proofs/evidence.ts';
import { type FixtureOverrides, fixtureProof, fixtureVerdict } from '../proofs/fixture.ts';
import { buildReportModel } from '../proofs/reports/report-model.ts';
import { judge } from './judge.ts';
import { parseGate } from './parse-gate.ts';
import { added, evidenceOf, figureFrom, restarted } from './planted-defects.ts';

const DROPS = 'gossip.recv_pump.pubsub.dropped_full';

/** The finding about `nyc` for one counter, with a limit far away so that only the value matters. */
function growthOf(
  scope: 'node' | 'window' | 'soak',
  overrides: FixtureOverrides,
  window: number | null,
): Finding {
  const gate = parseGate(
    `name = "one"\ndescription = "d"\n[[objective]]\nname = "o"\nmetric = "${DROPS}"\nscope = "${scope}"\n` +
      `limit = { max = 1000000000 }\nwhy = "w"\n`,
    'one.toml',
  );
  const verdict = judge(evidenceOf(overrides), gate);
  const found = verdict.findings.findLast(
    (finding) => finding.objective === 'o' && finding.subject === 'nyc' && finding.window === window,
  );
  if (found === undefined) throw new Error('no finding');
  return found;
}

/** The counter reads `values[step - 1]` on nyc; four readings per window. */
function reads(values: readonly number[]): FixtureOverrides {
  return {
    body: (body, name, place) =>
      figureFrom('nyc', 1, DROPS, values[place.step - 1] ?? 0).body(body, name, place),
  };
}

const declared = (window: number): EvidenceRecord => ({
  type: 'restart_declared',
  window,
  scenario: 'fanout_burst',
  node: 'nyc',
});

describe('growth of a counter', () => {
  test('is counted over a scenario, over a window from the last post before it, and over the soak', () => {
    const values = reads([10, 11, 13, 16, 20, 25, 31, 38]);
    expect(growthOf('node', values, 2).value).toEqual({ seen: 7 });
    expect(growthOf('window', values, 1).value).toEqual({ seen: 6 });
    expect(growthOf('window', values, 2).value).toEqual({ seen: 22 });
    expect(growthOf('soak', values, null).value).toEqual({ seen: 28 });
  });

  test('is unreadable when the counter goes back inside an epoch, even when it ends higher', () => {
    const found = growthOf('window', reads([10, 11, 5, 16, 16, 16, 16, 16]), 1);
    expect(found.verdict).toBe('INCONCLUSIVE');
    expect(found.reason).toContain('went back from 11 to 5 inside one epoch (counter reset)');
  });

  test('after a declared restart counts from 0 and names the lost tail', () => {
    const found = growthOf(
      'window',
      {
        ...reads([10, 11, 13, 2, 2, 2, 2, 2]),
        ...restarted('nyc', 4),
        ...added(1, declared(1)),
        stepMs: 10_000,
      },
      1,
    );
    expect(found.value).toEqual({ seen: 5 });
    expect(found.reason).toContain(
      'counted from 0 after a declared restart; at most 6.0 s before it are lost',
    );
  });

  test('after an undeclared restart is unreadable', () => {
    const found = growthOf('soak', { ...reads([1, 1, 1, 1, 1, 1, 1, 1]), ...restarted('nyc', 4) }, null);
    expect(found.verdict).toBe('INCONCLUSIVE');
    expect(found.reason).toContain('nyc restarted undeclared (boot_id changed from boot-nyc to reboot-nyc)');
  });

  test('is not excused by a declaration for another window', () => {
    const elsewhere = { ...reads([]), ...restarted('nyc', 4), ...added(2, declared(2)) };
    expect(growthOf('window', elsewhere, 1).verdict).toBe('INCONCLUSIVE');
  });

  test('is not excused twice by one declaration', () => {
    const epoch: FixtureOverrides['epoch'] = ({ node, step, atMs }) => ({
      boot_id: node === 'nyc' && step >= 3 ? `boot-${node}-${step}` : `boot-${node}`,
      uptime_secs: 60 + atMs / 1_000,
    });
    const twice = { ...reads([]), epoch, ...added(1, declared(1)), windows: 1 };
    expect(growthOf('window', twice, 1).verdict).toBe('INCONCLUSIVE');
  });

  test('is unreadable when uptime goes back under the same boot_id', () => {
    const epoch: FixtureOverrides['epoch'] = ({ node, step, atMs }) => ({
      boot_id: `boot-${node}`,
      uptime_secs: (node === 'nyc' && step >= 4 ? 3 : 60) + atMs / 1_000,
    });
    expect(growthOf('window', { ...reads([]), epoch }, 1).verdict).toBe('INCONCLUSIVE');
  });

  test('equals last minus first for every counter that never goes back, and is never negative', () => {
    const growing = fc
      .array(fc.nat({ max: 1_000 }), { minLength: 8, maxLength: 8 })
      .map((steps) => steps.map((_, at) => steps.slice(0, at + 1).reduce((sum, step) => sum + step, 0)));
    fc.assert(
      fc.property(growing, (values) => {
        const expected = (values[7] ?? 0) - (values[0] ?? 0);
        expect(growthOf('soak', reads(values), null).value).toEqual({ seen: expected });
      }),
      { numRuns: 30 },
    );
  });

  test('is unreadable for every counter that goes back anywhere', () => {
    const drops = fc.array(fc.nat({ max: 50 }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(drops, (values) => {
        const falls = values.some((value, at) => at > 0 && value < (values[at - 1] ?? 0));
        fc.pre(falls);
        expect(growthOf('soak', reads(values), null).verdict).toBe('INCONCLUSIVE');
      }),
      { numRuns: 30 },
    );
  });
});

/** What the reports show of the same counter on nyc: over each window, and over the last scenario of the first. */
function reported(overrides: FixtureOverrides) {
  const proof = fixtureProof(overrides);
  const { continuous, rows } = buildReportModel(proof, fixtureVerdict(proof));
  const windows = continuous.map(({ byNode }) => byNode.get('nyc')?.droppedFull);
  const row = rows.find(
    ({ window, scenario, node }) => window === 1 && scenario === 'fanout_burst' && node === 'nyc',
  );
  return { windows, scenario: row?.figures.recv_pump_dropped_full_delta };
}

describe('the reports', () => {
  const known = (value: object | undefined) =>
    value !== undefined && 'seen' in value ? value.seen : 'MISSING';
  const VALUES = reads([10, 11, 13, 2, 5, 9, 20, 30]);

  test.each([
    ['no restart', reads([10, 11, 13, 16, 20, 25, 31, 38]), [6, 22]],
    ['a declared restart', { ...VALUES, ...restarted('nyc', 4), ...added(1, declared(1)) }, [5, 28]],
    ['an undeclared restart', { ...VALUES, ...restarted('nyc', 4) }, ['MISSING', 28]],
    [
      'a restart declared elsewhere',
      { ...VALUES, ...restarted('nyc', 4), ...added(2, declared(2)) },
      ['MISSING', 28],
    ],
    ['a counter that goes back', reads([10, 11, 5, 16, 16, 16, 16, 16]), ['MISSING', 0]],
  ] as const)('show the growth that the judge counts: %s', (_, overrides, windows) => {
    const { windows: shown, scenario } = reported(overrides);
    expect(shown.map(known)).toEqual(windows);
    expect([1, 2].map((window) => known(growthOf('window', overrides, window).value))).toEqual(windows);
    const judged = growthOf('node', { ...overrides, windows: 1 }, 1).value;
    expect(known(scenario)).toEqual(known(judged));
  });
});
