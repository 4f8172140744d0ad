import { join } from 'node:path';
import { parseString } from '@fast-csv/parse';
import { describe, expect, it } from 'vitest';
import { DOCUMENT_NAMES, type Verdict } from '../evidence.ts';
import { fixtureProof, fixtureVerdict } from '../fixture.ts';
import { missing } from '../observation.ts';
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

describe('what a person reads', () => {
  const shown = (proof: ReturnType<typeof fixtureProof>, change: Partial<Verdict> = {}) =>
    renderTerminal(proof, { ...fixtureVerdict(proof), ...change }, { width: 120, colour: 'off' });
  const REBOOT = ({ node, step, atMs }: { node: string; step: number; atMs: number }) =>
    node === 'ams' && step >= 2
      ? { boot_id: 'again', uptime_secs: atMs / 1_000 - 1.5 }
      : { boot_id: `boot-${node}`, uptime_secs: atMs / 1_000 };

  it('of a node restarted on purpose is its counters from 0 on, and how much is lost, not a hole', () => {
    const declared = { type: 'restart_declared', window: 1, scenario: 'baseline', node: 'ams' } as const;
    const restarted = fixtureProof({
      windows: 1,
      epoch: REBOOT,
      records: (records) => [...records, declared],
    });
    expect(shown(restarted)).toContain(
      'window 1: ams counted from 0 after a declared restart; at most 0.5 s before it are lost',
    );
    expect(shown(restarted)).not.toContain('MISSING');
    const undeclared = shown(fixtureProof({ windows: 1, epoch: REBOOT }));
    expect(undeclared).toContain('window 1: ams has counters that cannot be counted through');
    expect(undeclared).toMatch(/^ +ams +MISSING/m);
  });

  it('tells reasons once where there is one window, and by window where there are more', () => {
    const reasons = ['NO-GO no drops: ams: 1'];
    const count = (windows: number) => {
      const judged = { reasons, windows: [{ window: 1, verdict: 'NO-GO' as const, reasons }] };
      return shown(fixtureProof({ windows }), judged).split(reasons[0] ?? '').length - 1;
    };
    expect([count(1), count(2)]).toEqual([1, 2]);
  });

  it('shows the worst figure of an objective that leaves one node out on purpose, not the gap', () => {
    const [first, ...others] = healthyVerdict.findings;
    if (first === undefined) throw new Error('no finding');
    const exempt = { ...first, value: missing('absent', 'exempt'), margin: null };
    const model = buildReportModel(healthyProof, { ...healthyVerdict, findings: [exempt, ...others] });
    expect(renderSummaryMarkdown(model)).toMatch(
      /\| GO \| no receive drops \| nyc, baseline, window 1 \| 0 \|/,
    );
  });

  it('leaves a window that was broken off out of what the nodes showed in the others', () => {
    const cut = fixtureProof({
      records: (records) =>
        records
          .filter((record) => !(record.type === 'sample' && record.window === 2 && record.phase === 'post'))
          .map((record) =>
            record.type === 'window_finished' && record.window === 2
              ? { ...record, outcome: 'interrupted' as const, why: 'SIGINT' }
              : record,
          ),
    });
    expect(shown(cut)).not.toContain('MISSING');
    expect(shown(cut)).toMatch(/^ +2 +GO +interrupted/m);
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

  it('names a node none of whose documents was read once, with the first reason', () => {
    const gone = Object.fromEntries(
      DOCUMENT_NAMES.map((name) => [name, missing('unreadable', `${name} of nyc: ECONNREFUSED`)]),
    );
    const proof = fixtureProof({
      windows: 1,
      records: (records) =>
        records.map((record) =>
          record.type === 'sample' && record.node === 'nyc' && record.phase !== 'pre'
            ? { ...record, epoch: null, documents: gone }
            : record,
        ),
    });
    expect(buildReportModel(proof, fixtureVerdict(proof)).missing).toEqual([
      'window 1 baseline post: nyc: no document; unreadable: ECONNREFUSED',
      'window 1 fanout_burst post: nyc: no document; unreadable: ECONNREFUSED',
      'schedule: nyc every document: missing in 2 of 2 rounds, last: ECONNREFUSED',
    ]);
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
