import { join } from 'node:path';
import { parseString } from 'fast-csv';
import { describe, expect, it } from 'vitest';
import { fixtureProof, fixtureVerdict } from '../fixture.ts';
import { NYC_GOSSIP, troubled } from './fixture-troubled.ts';
import { buildReportModel } from './report-model.ts';
import { renderSummaryCsv, SUMMARY_COLUMNS } from './summary-csv.ts';
import { renderSummaryJson } from './summary-json.ts';
import { renderSummaryMarkdown } from './summary-md.ts';
import { renderTerminal } from './terminal.ts';
import { renderTimelineCsv } from './timeline-csv.ts';

const healthyProof = fixtureProof();
const healthyVerdict = fixtureVerdict(healthyProof);
const healthyModel = buildReportModel(healthyProof, healthyVerdict);
const trouble = troubled();
const troubledModel = buildReportModel(trouble.proof, trouble.verdict);
const golden = (name: string) => join(import.meta.dirname, 'golden', `${name}.golden`);

async function rowsOf(csv: string): Promise<Record<string, string>[]> {
  const rows: Record<string, string>[] = [];
  for await (const row of parseString(csv, { headers: true })) rows.push(row);
  return rows;
}

describe('the golden reports', () => {
  it.each([
    ['healthy.summary.csv', () => renderSummaryCsv(healthyModel)],
    ['healthy.timeline.csv', () => renderTimelineCsv(healthyModel)],
    ['healthy.summary.md', () => renderSummaryMarkdown(healthyModel)],
    [
      'healthy.terminal.txt',
      () => renderTerminal(healthyProof, healthyVerdict, { width: 100, colour: 'off' }),
    ],
    ['troubled.summary.csv', () => renderSummaryCsv(troubledModel)],
    ['troubled.timeline.csv', () => renderTimelineCsv(troubledModel)],
    ['troubled.summary.md', () => renderSummaryMarkdown(troubledModel)],
    ['troubled.summary.json', () => renderSummaryJson(troubledModel)],
    [
      'troubled.terminal.txt',
      () => renderTerminal(trouble.proof, trouble.verdict, { width: 80, colour: 'off' }),
    ],
  ])('are, byte for byte, %s', async (name, render) => {
    await expect(await render()).toMatchFileSnapshot(golden(name));
  });
});

describe('summary.csv', () => {
  it('has 32 columns, window first, and a row per planned window, scenario and node', async () => {
    const rows = await rowsOf(await renderSummaryCsv(troubledModel));
    expect(SUMMARY_COLUMNS).toHaveLength(32);
    expect(rows).toHaveLength(2 * 2 * 2);
    expect(rows.map((row) => Object.keys(row))).toEqual(rows.map(() => [...SUMMARY_COLUMNS]));
  });

  it('prints MISSING for what was not seen, never 0', async () => {
    const rows = await rowsOf(await renderSummaryCsv(troubledModel));
    const lost = rows.find((row) => row.window === '1' && row.scenario === 'baseline' && row.node === 'nyc');
    expect(lost).toMatchObject({
      passed: 'false',
      fail_reason: 'nyc→ams: command accepted, nothing received',
      violations_count: '1',
      dispatcher_timed_out_delta: 'MISSING',
      suppressed_peers_post: 'MISSING',
      per_peer_timeout_to_completed_ratio: 'MISSING',
      transport_peer_count_post: '1',
      diagnostics_connectivity_post_fetched: 'true',
    });
    const notRun = rows.filter((row) => row.window === '2');
    for (const row of notRun) {
      expect(row).toMatchObject({
        passed: 'false',
        recv_pump_dropped_full_delta: 'MISSING',
        data_tx_depth_post: 'MISSING',
      });
      expect(row.diagnostics_connectivity_pre_fetched).toBe('false');
    }
  });

  it('never reads a restart as a small delta', async () => {
    const proof = fixtureProof({
      windows: 1,
      epoch: ({ node, step }) =>
        node === 'ams' && step >= 2
          ? { boot_id: 'again', uptime_secs: 2 }
          : { boot_id: `b-${node}`, uptime_secs: step },
    });
    const [ams, nyc] = await rowsOf(await renderSummaryCsv(buildReportModel(proof, fixtureVerdict(proof))));
    expect(ams).toMatchObject({ node: 'ams', per_peer_timeout_delta: 'MISSING', pubsub_workers_post: '4' });
    expect(nyc).toMatchObject({ node: 'nyc', per_peer_timeout_delta: '2' });
  });

  it('prints an infinite ratio as inf and keeps a formula from running', async () => {
    const proof = fixtureProof({
      windows: 1,
      scenarios: ['baseline'],
      body: (body, name, { phase }) =>
        name === 'gossip'
          ? {
              ...body,
              pubsub_stages: {
                republish_per_peer_timeout: phase === 'pre' ? 0 : 3,
                suppressed_peers: [{ peer_id: 'aa', topic: '=cmd()' }],
                peer_scores: [],
              },
              dispatcher: { pubsub: { completed: 5, timed_out: 0 }, pubsub_workers: 4 },
            }
          : body,
    });
    const [row] = await rowsOf(await renderSummaryCsv(buildReportModel(proof, fixtureVerdict(proof))));
    expect(row).toMatchObject({
      per_peer_timeout_to_completed_ratio: 'inf',
      suppressed_peers_to_known_ratio: 'inf',
      suppressed_topics_top3_post: "'=cmd():1",
      suppressed_topic_top_count_post: '1',
    });
  });
});

describe('timeline.csv', () => {
  it('has the 28 columns and shows a window that did not run as one with nothing seen', async () => {
    const [first, second, ...rest] = await rowsOf(await renderTimelineCsv(troubledModel));
    expect(rest).toEqual([]);
    expect(Object.keys(first ?? {})).toHaveLength(28);
    expect(first).toMatchObject({
      phase_a_received: '1',
      phase_a_sent: '2',
      verdict: 'NO-GO',
      violations: '1',
    });
    expect(second).toMatchObject({
      verdict: 'INCONCLUSIVE',
      start_unix: 'MISSING',
      phase_a_received: 'MISSING',
      continuous_sum_drop_full_delta: 'MISSING',
      continuous_unaccounted_gaps: 'ams:post;nyc:post',
    });
  });

  it('counts what happened between windows in the continuous columns', async () => {
    const [first, second] = await rowsOf(await renderTimelineCsv(healthyModel));
    expect(first).toMatchObject({ max_pp_to_delta: '2', continuous_max_pp_to_delta: '6' });
    expect(second).toMatchObject({ max_pp_to_delta: '2', continuous_max_pp_to_delta: '8' });
  });

  it('names a reset as a gap', async () => {
    const proof = fixtureProof({
      epoch: ({ node, step }) =>
        node === 'nyc' && step >= 5
          ? { boot_id: 'again', uptime_secs: step }
          : { boot_id: `b-${node}`, uptime_secs: step },
    });
    const [first, second] = await rowsOf(
      await renderTimelineCsv(buildReportModel(proof, fixtureVerdict(proof))),
    );
    expect(first).toMatchObject({ continuous_snapshot_gaps: '', continuous_sum_pp_to_delta: '12' });
    expect(second).toMatchObject({
      continuous_unaccounted_gaps: 'nyc:counter_reset',
      continuous_sum_pp_to_delta: 'MISSING',
    });
  });
});

describe('what was not seen', () => {
  it('is listed, each once, with the reason', () => {
    expect(troubledModel.missing).toEqual([
      `journal: line ${trouble.proof.entries.length + 1} was cut off after 17 bytes`,
      `window 1 baseline post: nyc gossip: unreadable: ${NYC_GOSSIP}: is not there any more`,
      'window 2: not run',
    ]);
    expect(healthyModel.missing).toEqual([]);
  });

  it('includes pairs, samples and subscribers that the plan has and the records have not', () => {
    const proof = fixtureProof({
      windows: 1,
      records: (records) => [
        ...records.filter(
          (record) =>
            !(record.type === 'pair_outcome' && record.from === 'ams') &&
            !(record.type === 'sample' && record.node === 'nyc' && record.phase === 'pre') &&
            !(record.type === 'scenario_finished' && record.scenario === 'fanout_burst'),
        ),
        { type: 'subscriber_missing', window: 1, scenario: 'fanout_burst', node: 'nyc', why: 'gone' },
      ],
    });
    expect(buildReportModel(proof, fixtureVerdict(proof)).missing).toEqual([
      'window 1 baseline pre: nyc: was not sampled',
      'window 1 fanout_burst: unfinished',
      'window 1 fanout_burst pre: nyc: was not sampled',
      'window 1 baseline: ams→nyc: was not measured',
      'window 1 fanout_burst: subscriber nyc: gone',
    ]);
  });
});
