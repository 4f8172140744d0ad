import { maxFigure, shortFigure, shortNumber, sumFigure } from './cells.ts';
import type { ContinuousGrowth } from './continuous.ts';
import type { Figure, FigureName } from './node-figures.ts';
import type { ReportModel } from './report-model.ts';
import { latencyCell } from './run-sections.ts';
import { type Cell, plain, type Section, shareCell, toned } from './section.ts';

const MAX_MATRIX_NODES = 16; // wider does not fit a page; the failing pairs are listed either way

/** Who reached whom, over all windows: rows send, columns receive. */
export function pairsSection({ pairs, nodes }: ReportModel): Section {
  const byPair = new Map(pairs.map((pair) => [JSON.stringify([pair.from, pair.to]), pair]));
  const cellOf = (from: string, to: string): Cell => {
    const pair = byPair.get(JSON.stringify([from, to]));
    return pair ? shareCell(pair.received, pair.planned, pair.measured) : plain('·');
  };
  const whole = pairs.filter((pair) => pair.received === pair.planned && pair.planned > 0).length;
  const fits = nodes.length <= MAX_MATRIX_NODES;
  return {
    title: 'Pairs',
    lines: [`${whole} of ${pairs.length} pairs received everything, rows send, columns receive`],
    table: fits
      ? {
          labels: 1,
          head: ['from \\ to', ...nodes],
          rows: nodes.map((from) => [plain(from), ...nodes.map((to) => cellOf(from, to))]),
        }
      : null,
    bullets: pairs.flatMap(({ from, to, failures }) =>
      failures.map(({ window, class: kind, detail }) => {
        const named = `${from} → ${to}: `;
        return `window ${window} ${from}→${to}: ${kind}: ${detail.slice(detail.startsWith(named) ? named.length : 0)}`;
      }),
    ),
  };
}

/** The slowest pairs, so that a slow path is seen before it is a failing one. */
export function latencySection({ pairs }: ReportModel): Section {
  const slowest = pairs
    .toSorted((a, b) => (b.latency?.maxMs ?? -1) - (a.latency?.maxMs ?? -1))
    .filter(({ latency }) => latency !== null)
    .slice(0, 5);
  return {
    title: 'Slowest pairs',
    lines: slowest.length === 0 ? ['No receipt carried a latency.'] : [],
    table:
      slowest.length === 0
        ? null
        : {
            labels: 2,
            head: ['pair', 'paths', 'ms p50/p99/max', '1st try'],
            rows: slowest.map((pair) => [
              plain(`${pair.from}→${pair.to}`),
              plain(Object.keys(pair.paths).join(', ')),
              latencyCell(pair.latency),
              shareCell(pair.firstAttempt, pair.planned, pair.measured),
            ]),
          },
    bullets: [],
  };
}

function countCell(figure: Figure): Cell {
  if (!('seen' in figure)) return toned(shortFigure(figure), 'unsure');
  return toned(shortFigure(figure), figure.seen === 0 ? 'plain' : 'bad');
}

const gaugeCell = (figure: Figure): Cell =>
  'seen' in figure ? plain(shortFigure(figure)) : toned(shortFigure(figure), 'unsure');

const GAPS: Readonly<Record<string, string>> = {
  post: 'could not be read at its end',
  baseline: 'has no reading to count from',
  counter_reset: 'has counters that cannot be counted through',
};

/** A gap as `timeline.csv` names it, in words. */
function gapText(gap: string): string {
  const [node = '', tag = ''] = gap.split(/:(?=[^:]*$)/);
  return `${node} ${GAPS[tag] ?? tag}`;
}

function restartText(lostSecs: number): string {
  return `counted from 0 after a declared restart; at most ${lostSecs.toFixed(1)} s before it are lost`;
}

/** Every node over the whole run: growth from the first sample to the last, and the greatest gauges. */
export function nodesSection(model: ReportModel): Section {
  const { nodes } = model;
  // One that was broken off has no last sample: it would hide what the others showed.
  const ran = new Set(model.windows.filter(({ outcome }) => outcome === 'ran').map(({ window }) => window));
  const continuous = model.continuous.filter(({ window }) => ran.has(window));
  const rows = model.rows.filter(({ window }) => ran.has(window));
  const perNode = nodes.map((node) => {
    const own = rows.filter((row) => row.node === node);
    const total = (counter: keyof ContinuousGrowth) =>
      sumFigure(continuous.flatMap(({ byNode }) => byNode.get(node)?.[counter] ?? []));
    const greatest = (name: FigureName) => maxFigure(own.map(({ figures }) => figures[name]));
    const gaps = continuous.flatMap(({ window, unaccounted, restarted }) => [
      ...unaccounted
        .filter((gap) => gap.startsWith(`${node}:`))
        .map((gap) => `window ${window}: ${gapText(gap)}`),
      ...restarted
        .filter((one) => one.node === node)
        .map(({ lostSecs }) => `window ${window}: ${node} ${restartText(lostSecs)}`),
    ]);
    const cells = [
      plain(node),
      countCell(total('dispatcherTimedOut')),
      countCell(total('droppedFull')),
      gaugeCell(total('perPeerTimeout')),
      gaugeCell(greatest('per_peer_timeout_to_completed_ratio')),
      gaugeCell(greatest('recv_pump_latest_depth_post')),
      gaugeCell(greatest('suppressed_peers_post')),
      gaugeCell(greatest('suppressed_peers_to_known_ratio')),
      gaugeCell(greatest('pubsub_workers_post')),
      gaugeCell(greatest('transport_connected_count_post')),
      gaugeCell(greatest('transport_rtt_ms_max_post')),
      gaugeCell(greatest('transport_packet_loss_ppm_max_post')),
    ];
    return { cells, gaps };
  });
  return {
    title: 'Nodes',
    lines: [
      ran.size === 0
        ? 'No window ran to its end.'
        : 'Counters from the first to the last sample of the windows that ran; gauges at their greatest.',
    ],
    table: {
      labels: 1,
      head: [
        'node',
        'disp_to',
        'drop_full',
        'pp_to',
        'pp_ratio',
        'depth',
        'suppr',
        'suppr_r',
        'workers',
        'peers',
        'rtt ms',
        'loss ppm',
      ],
      rows: perNode.map(({ cells }) => cells),
    },
    bullets: perNode.flatMap(({ gaps }) => gaps),
  };
}

/** What every subscriber got of every publisher. */
export function deliveriesSection({ deliveries }: ReportModel): Section {
  return {
    title: 'Deliveries',
    lines: deliveries.length === 0 ? ['No scenario measured delivery.'] : [],
    table:
      deliveries.length === 0
        ? null
        : {
            labels: 3,
            head: [
              'scenario',
              'publisher',
              'subscriber',
              'delivered',
              'published',
              'twice',
              'corrupt',
              'ms p50/p99/max',
            ],
            rows: deliveries.map((facts) => [
              plain(facts.scenario),
              plain(facts.publisher),
              plain(facts.subscriber),
              shareCell(facts.delivered, facts.planned, facts.planned),
              plain(`${facts.published}/${facts.planned}`),
              toned(facts.duplicates, facts.duplicates === 0 ? 'plain' : 'bad'),
              toned(facts.corrupted, facts.corrupted === 0 ? 'plain' : 'bad'),
              plain(latencyText(facts.worstLatencyMs)),
            ]),
          },
    bullets: [],
  };
}

function latencyText(
  latency: { readonly p50: number; readonly p99: number; readonly max: number } | null,
): string {
  return latency === null ? '–' : [latency.p50, latency.p99, latency.max].map(shortNumber).join(' / ');
}
