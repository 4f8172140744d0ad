import { describe, expect, test } from 'vitest';
import { undecidedHarms } from './broken-harms.ts';
import { brokenObjectives } from './broken-objectives.ts';
import { undecidedPartitions } from './broken-partitions.ts';
import { undecidedServices } from './broken-services.ts';
import { judge } from './judge.ts';
import { evidenceOf, figureFrom, objectivesThatAre, reasonsText, shippedGate } from './planted-defects.ts';

const undecided = [...undecidedPartitions, ...undecidedHarms, ...undecidedServices];

/** Objectives that what was not seen leaves undecided: never NO-GO, so their red tests stand apart. */
const UNSEEN = [
  'telemetry complete',
  'telemetry complete over the soak',
  ...undecided.map(({ objective }) => objective),
];

describe.each(Object.entries(brokenObjectives))('%s', (name, planted) => {
  const gate = shippedGate(name);

  test('gives GO to a healthy run, with value, limit and margin in every finding', () => {
    const verdict = judge(evidenceOf(), gate);
    expect(verdict.reasons).toEqual([]);
    expect(verdict.overall).toBe('GO');
    expect(verdict.windows.map((window) => window.verdict)).toEqual(['GO', 'GO']);
    expect(verdict.findings.length).toBeGreaterThan(40);
    for (const finding of verdict.findings) {
      expect(finding).toMatchObject({ verdict: 'GO', value: { seen: expect.any(Number) } });
      expect(finding.margin).toBeGreaterThanOrEqual(0);
    }
  });

  test.each(planted)('breaks "$objective" for its own reason, and its clean twin passes', (one) => {
    const red = judge(evidenceOf(one.defect), gate);
    expect(red.overall).toBe('NO-GO');
    expect(new Set(objectivesThatAre('NO-GO', red))).toEqual(new Set([one.objective, ...(one.also ?? [])]));
    expect(reasonsText(red)).toMatch(one.reason);
    const twin = judge(evidenceOf(one.twin), gate);
    expect(reasonsText(twin)).toBe('');
    expect(twin.overall).toBe('GO');
  });

  test.each(undecided)('leaves "$objective" undecided when there was no experiment', (one) => {
    const verdict = judge(evidenceOf(one.defect), gate);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual([one.objective]);
    expect(reasonsText(verdict)).toMatch(one.reason);
    expect(judge(evidenceOf(one.twin), gate).overall).toBe('GO');
  });

  test('leaves "telemetry complete" undecided when one document around one scenario is gone', () => {
    const evidence = evidenceOf();
    const documents = new Map(evidence.documents);
    documents.delete('windows/002/diagnostics/baseline/nyc-post-dm.json');
    const verdict = judge({ ...evidence, documents }, gate);
    expect(verdict.overall).toBe('INCONCLUSIVE');
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual(['telemetry complete']);
    expect(reasonsText(verdict)).toMatch(
      /nyc: dm of window 2 baseline post: .*nyc-post-dm.json is not in the proof; a readable dm document of nyc would decide it/,
    );
  });

  test('leaves "every planned link up" undecided when a node counts more peers than the plan holds', () => {
    const crowded = figureFrom('nyc', 8, 'connectivity.connections.connected_peers', 2);
    const verdict = judge(evidenceOf(crowded), gate);
    expect(objectivesThatAre('INCONCLUSIVE', verdict)).toEqual(['every planned link up']);
    expect(reasonsText(verdict)).toContain('2 connected peers, the plan holds 1 others');
  });

  test('has a red test for every one of its objectives', () => {
    const tested = new Set([...planted.map((one) => one.objective), ...UNSEEN]);
    expect(gate.objectives.map((objective) => objective.name).filter((known) => !tested.has(known))).toEqual(
      [],
    );
  });
});
