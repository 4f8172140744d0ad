import { writeToString } from '@fast-csv/format';
import { seen } from '../observation.ts';
import { csvCell } from './cells.ts';
import { type FigureName, NODE_FIGURES } from './node-figures.ts';
import type { NodeRow, ReportModel } from './report-model.ts';

/** The columns that operators of the nearest system know, in their order, after the window's number. */
export const SUMMARY_COLUMNS = [
  'window',
  'scenario',
  'node',
  'passed',
  'fail_reason',
  'dispatcher_timed_out_delta',
  'recv_pump_dropped_full_delta',
  'per_peer_timeout_delta',
  'suppressed_peers_post',
  'pubsub_workers_post',
  'violations_count',
  'per_peer_timeout_to_completed_ratio',
  'recv_pump_drop_full_ratio',
  'recv_pump_latest_depth_post',
  'suppressed_peers_to_known_ratio',
  'known_peer_topic_pairs_post',
  'suppressed_topics_post',
  'suppressed_topic_top_count_post',
  'suppressed_topics_top3_post',
  'peer_score_topics_post',
  'diagnostics_connectivity_pre_fetched',
  'diagnostics_connectivity_post_fetched',
  'data_tx_depth_post',
  'data_tx_capacity_post',
  'data_tx_high_water_count_delta',
  'gso_bundle_send_total_delta',
  'gso_bundle_partial_send_delta',
  'transport_peer_count_post',
  'transport_connected_count_post',
  'transport_rtt_ms_max_post',
  'transport_packet_loss_ppm_max_post',
  'transport_peers_top3_post',
] as const;

type Column = (typeof SUMMARY_COLUMNS)[number];

function isFigure(column: Column): column is Column & FigureName {
  return column in NODE_FIGURES;
}

function cell(column: Column, row: NodeRow, model: ReportModel): string {
  if (isFigure(column)) return csvCell(column, row.figures[column]);
  const scenario = model.windows[row.window - 1]?.scenarios.find((facts) => facts.scenario === row.scenario);
  const broken = row.findings.filter(({ verdict }) => verdict !== 'GO');
  switch (column) {
    case 'window':
      return String(row.window);
    case 'passed':
      return String(scenario?.outcome === 'ran' && row.findings.length > 0 && broken.length === 0);
    case 'violations_count':
      return String(broken.length);
    case 'fail_reason':
      return csvCell(column, seen(scenario?.why ?? broken[0]?.reason ?? ''));
    default:
      return csvCell(column, seen(row[column]));
  }
}

/** `summary.csv`: one row per planned window, scenario and node. */
export async function renderSummaryCsv(model: ReportModel): Promise<string> {
  const rows = model.rows.map((row) => SUMMARY_COLUMNS.map((column) => cell(column, row, model)));
  return await writeToString([[...SUMMARY_COLUMNS], ...rows], { includeEndRowDelimiter: true });
}
