import { parseString } from '@fast-csv/parse';
import { describe, expect, it } from 'vitest';
import type { EvidenceRecord } from '../evidence.ts';
import { fixtureLinks, fixtureProof, fixtureVerdict } from '../fixture.ts';
import { healthyCut, healthyRecovery } from '../fixture-faults.ts';
import { renderFaultsCsv } from './faults-csv.ts';
import { buildReportModel } from './report-model.ts';
import { scenarioArtifacts } from './scenario-artifacts.ts';
import { renderSummaryJson } from './summary-json.ts';
import { renderSummaryMarkdown } from './summary-md.ts';

const AT = { window: 1, scenario: 'partition_recovery' } as const;
const EDGES = [
  ['ams', 'nyc'],
  ['nyc', 'ams'],
] as const;

const VIEW: EvidenceRecord = {
  type: 'peer_view',
  ...AT,
  label: 'start',
  at_wall_ms: 1,
  observer: 'ams',
  target: 'nyc',
  boot_id: null,
  view: null,
  unreadable: 'ams: NODE_TIMEOUT',
};

async function rowsOf(csv: string): Promise<Record<string, string>[]> {
  const rows: Record<string, string>[] = [];
  for await (const row of parseString(csv, { headers: true })) rows.push(row);
  return rows;
}

function proofWith(change: (records: readonly EvidenceRecord[]) => readonly EvidenceRecord[]) {
  const more = [...healthyCut(AT, 'f1', EDGES), ...healthyRecovery(AT, ['ams', 'nyc']), VIEW];
  return fixtureProof({
    windows: 1,
    scenarios: ['baseline', 'partition_recovery'],
    records: (records) =>
      records.flatMap((record) => (record.type === 'window_finished' ? [...change(more), record] : [record])),
  });
}

describe('the reports of a run with faults', () => {
  const proof = proofWith((records) => records);
  const model = buildReportModel(proof, fixtureVerdict(proof));

  it('show each fault, and each figure with its unit', () => {
    const text = renderSummaryMarkdown(model);
    expect(text).toMatch(
      /\| f1 +\| window 1 partition_recovery +\| cut +\| ams, nyc +\| yes +\| yes +\| yes +\|/,
    );
    expect(text).toMatch(/\| resync_secs +\| mesh +\| s +\| +\| +6 \|/);
    const { faults, measures } = JSON.parse(renderSummaryJson(model));
    expect(faults).toMatchObject([{ id: 'f1', bites: 'yes', stands_because: null }]);
    expect(measures).toHaveLength(8);
  });

  it('tell of each fault when it stood and that it is gone, in a table of its own', async () => {
    const rows = await rowsOf(await renderFaultsCsv(model));
    expect(rows).toMatchObject([
      {
        window: '1',
        scenario: 'partition_recovery',
        fault: 'f1',
        kind: 'cut',
        targets: 'ams nyc',
        edges: 'ams→nyc nyc→ams',
        bites: 'yes',
        gone: 'yes',
        why: '',
      },
    ]);
    const times = ['requested_utc', 'applied_utc', 'looked_utc'].map((at) => rows[0]?.[at] ?? '');
    expect(times).toEqual(times.toSorted());
    for (const time of times) expect(time).toMatch(/^2026-11-21T12:00:0\d\.\d{3}Z$/);
  });

  it('say what is wrong with one that stands', async () => {
    const dirty = proofWith((records) =>
      records.map((record) =>
        record.type === 'fault_gone' ? { ...record, proven: false, why: 'nyc: cut stands' } : record,
      ),
    );
    const dirtyModel = buildReportModel(dirty, fixtureVerdict(dirty));
    const text = renderSummaryMarkdown(dirtyModel);
    expect(text).toContain('NOT PROVEN');
    expect(text).toContain('f1 is not proven gone: nyc: cut stands');
    expect(await rowsOf(await renderFaultsCsv(dirtyModel))).toMatchObject([
      { fault: 'f1', gone: 'no', why: 'nyc: cut stands' },
    ]);
  });

  it('say what lay between the nodes, as the plan says', () => {
    const { plan } = proof;
    const linked = { ...proof, plan: { ...plan, links: fixtureLinks(plan.pairs) } };
    const linkedModel = buildReportModel(linked, fixtureVerdict(linked));
    expect(renderSummaryMarkdown(linkedModel)).toMatch(
      /## Links: alike\n\n.*\n.*\n\| ams↔nyc +\| +20 +\| +2 +\| +0\.5 % +\| +– +\| +0 % +\|/,
    );
    expect(JSON.parse(renderSummaryJson(linkedModel)).links).toEqual(linked.plan.links);
    expect(renderSummaryMarkdown(model)).not.toContain('Links');
  });

  it('leave the recovery and the trajectory of each scenario as files for machines', () => {
    const files = scenarioArtifacts(proof);
    expect(Object.keys(files)).toEqual([
      'scenarios/partition_recovery/peer-score-trajectory.json',
      'scenarios/partition_recovery/recovery.json',
    ]);
    const recovery = JSON.parse(files['scenarios/partition_recovery/recovery.json'] ?? '');
    expect(recovery).toMatchObject({
      format: 'meshproof.recovery.v1',
      windows: [{ window: 1, outcome: 'ran', faults: [{ id: 'f1', kind: 'cut' }] }],
    });
    const trajectory = JSON.parse(files['scenarios/partition_recovery/peer-score-trajectory.json'] ?? '');
    expect(trajectory.windows[0].samples).toMatchObject([{ label: 'start', observer: 'ams' }]);
  });
});
