import { writeToString } from '@fast-csv/format';
import { isSeen, missing, type Observation, seen } from '../observation.ts';
import { csvCell, maxFigure, sumFigure } from './cells.ts';
import type { ContinuousGrowth, ContinuousWindow } from './continuous.ts';
import type { Figure, FigureName } from './node-figures.ts';
import type { NodeRow, ReportModel } from './report-model.ts';
import type { WindowFacts } from './window-facts.ts';

interface WindowRows {
  readonly facts: WindowFacts;
  readonly rows: readonly NodeRow[];
  readonly continuous: ContinuousWindow | undefined;
}

const of = (rows: readonly NodeRow[], name: FigureName) => rows.map(({ figures }) => figures[name]);

const grown = ({ continuous }: WindowRows, counter: keyof ContinuousGrowth): Figure[] =>
  [...(continuous?.byNode.values() ?? [])].map((growth) => growth[counter]);

const measured = ({ pairs }: WindowFacts, count: number): Observation<number> =>
  pairs.measured === 0 ? missing('absent', 'no pair was measured') : seen(count);

function distinctTexts(figures: readonly Figure[]): Figure {
  const hidden = figures.find((figure) => !isSeen(figure));
  if (hidden) return hidden;
  const texts = figures.flatMap((figure) =>
    isSeen(figure) && figure.seen !== '' ? String(figure.seen) : [],
  );
  return seen([...new Set(texts)].join(' | '));
}

const orMissing = (value: number | string | null): Figure =>
  value === null ? missing('absent', 'was not recorded') : seen(value);

/** One entry per column of `timeline.csv`, named as operators of the nearest system know them. */
const TIMELINE: Readonly<Record<string, (window: WindowRows) => Figure>> = {
  window: ({ facts }) => seen(facts.window),
  start_unix: ({ facts }) =>
    orMissing(facts.startedWallMs === null ? null : Math.floor(facts.startedWallMs / 1_000)),
  verdict: ({ facts }) => orMissing(facts.verdict),
  phase_a_received: ({ facts }) => measured(facts, facts.pairs.received),
  phase_a_sent: ({ facts }) => measured(facts, facts.pairs.sent),
  max_disp_to_delta: ({ rows }) => maxFigure(of(rows, 'dispatcher_timed_out_delta')),
  sum_disp_to_delta: ({ rows }) => sumFigure(of(rows, 'dispatcher_timed_out_delta')),
  max_drop_full_delta: ({ rows }) => maxFigure(of(rows, 'recv_pump_dropped_full_delta')),
  sum_drop_full_delta: ({ rows }) => sumFigure(of(rows, 'recv_pump_dropped_full_delta')),
  max_pp_to_delta: ({ rows }) => maxFigure(of(rows, 'per_peer_timeout_delta')),
  continuous_max_disp_to_delta: (window) => maxFigure(grown(window, 'dispatcherTimedOut')),
  continuous_sum_disp_to_delta: (window) => sumFigure(grown(window, 'dispatcherTimedOut')),
  continuous_max_drop_full_delta: (window) => maxFigure(grown(window, 'droppedFull')),
  continuous_sum_drop_full_delta: (window) => sumFigure(grown(window, 'droppedFull')),
  continuous_max_pp_to_delta: (window) => maxFigure(grown(window, 'perPeerTimeout')),
  continuous_sum_pp_to_delta: (window) => sumFigure(grown(window, 'perPeerTimeout')),
  continuous_sum_dispatcher_completed_delta: (window) => sumFigure(grown(window, 'dispatcherCompleted')),
  continuous_snapshot_gaps: ({ continuous }) => seen(continuous?.gaps.join(';') ?? ''),
  continuous_unaccounted_gaps: ({ continuous }) => seen(continuous?.unaccounted.join(';') ?? ''),
  max_suppressed: ({ rows }) => maxFigure(of(rows, 'suppressed_peers_post')),
  max_suppressed_ratio: ({ rows }) => maxFigure(of(rows, 'suppressed_peers_to_known_ratio')),
  max_suppressed_topics: ({ rows }) => maxFigure(of(rows, 'suppressed_topics_post')),
  top_suppressed_topics: ({ rows }) => distinctTexts(of(rows, 'suppressed_topics_top3_post')),
  max_transport_peers: ({ rows }) => maxFigure(of(rows, 'transport_peer_count_post')),
  max_transport_rtt_ms: ({ rows }) => maxFigure(of(rows, 'transport_rtt_ms_max_post')),
  max_transport_loss_ppm: ({ rows }) => maxFigure(of(rows, 'transport_packet_loss_ppm_max_post')),
  max_workers: ({ rows }) => maxFigure(of(rows, 'pubsub_workers_post')),
  violations: ({ facts }) => seen(facts.violations),
};

/** `timeline.csv`: one row per planned window. */
export async function renderTimelineCsv(model: ReportModel): Promise<string> {
  const columns = Object.entries(TIMELINE);
  const rows = model.windows.map((facts) => {
    const window: WindowRows = {
      facts,
      rows: model.rows.filter((row) => row.window === facts.window),
      continuous: model.continuous.find((continuous) => continuous.window === facts.window),
    };
    return columns.map(([column, read]) => csvCell(column, read(window)));
  });
  return await writeToString([columns.map(([column]) => column), ...rows], { includeEndRowDelimiter: true });
}
