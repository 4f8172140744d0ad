import { type Finding, VERDICTS, type VerdictWord } from '../evidence.ts';
import { isSeen } from '../observation.ts';
import { shortDuration, shortFigure, shortNumber, utcTime } from './cells.ts';
import type { ReportModel } from './report-model.ts';
import { type Cell, plain, type Section, shareCell, toned, verdictCell } from './section.ts';
import type { LatencyFacts } from './window-facts.ts';

const NOTHING: Pick<Section, 'lines' | 'table' | 'bullets'> = { lines: [], table: null, bullets: [] };

export function latencyCell(latency: LatencyFacts | null): Cell {
  if (latency === null) return plain('–');
  return plain(
    `${shortNumber(latency.p50Ms)} / ${shortNumber(latency.p99Ms)} / ${shortNumber(latency.maxMs)}`,
  );
}

/** The verdict, what it rests on, and why it is not GO. */
export function verdictSection({ run, verdict, windows, pairs, nodes }: ReportModel): Section {
  const ran = windows.filter(({ outcome }) => outcome === 'ran').length;
  const took = run.tookMs === null ? 'the run did not finish' : `took ${shortDuration(run.tookMs)}`;
  const started = run.startedWallMs === null ? '' : `, started ${utcTime(run.startedWallMs)} UTC`;
  return {
    ...NOTHING,
    title: `${verdict.overall} by gate ${verdict.gate}`,
    lines: [
      `run ${run.runId} on ${run.network}${started}, ${took}`,
      `${nodes.length} nodes, ${pairs.length} pairs, ${ran} of ${windows.length} planned windows ran; seed ${run.seed}, anchor ${run.anchor}, expected path ${run.expectPath}`,
      ...(run.sealedGate === verdict.gate ? [] : [`the run was sealed with gate ${run.sealedGate}`]),
    ],
    bullets: verdict.reasons,
  };
}

function limitText({ limit }: Finding): string {
  const bounds = [
    ...(limit.min === undefined ? [] : [`≥ ${shortNumber(limit.min)}`]),
    ...(limit.max === undefined ? [] : [`≤ ${shortNumber(limit.max)}`]),
  ];
  return bounds.join(', ') || '–';
}

/** The window goes without saying where there is but one. */
function placeOf({ subject, window, scenario }: Finding, windows: number): string {
  const which = window === null || windows === 1 ? [] : [`window ${window}`];
  const place = [...(scenario === null ? [] : [scenario]), ...which];
  return [subject, ...place.filter((part) => part !== subject)].join(', ');
}

/** Every objective with its worst finding, the broken ones first. */
export function objectivesSection({ objectives, windows }: ReportModel): Section {
  const severity = (word: VerdictWord) => VERDICTS.indexOf(word);
  const worstFirst = objectives.toSorted((a, b) => severity(b.verdict) - severity(a.verdict));
  const rows = worstFirst.map(({ objective, verdict, findings, notGo, worst }) => [
    verdictCell(verdict),
    plain(objective),
    plain(placeOf(worst, windows.length)),
    plain(verdict === 'GO' && !isSeen(worst.value) ? '–' : shortFigure(worst.value)),
    plain(limitText(worst)),
    plain(worst.margin === null ? '–' : shortNumber(worst.margin)),
    toned(`${findings - notGo}/${findings}`, notGo === 0 ? 'good' : 'bad'),
  ]);
  const head = ['verdict', 'objective', 'worst at', 'value', 'limit', 'margin', 'GO'];
  return { ...NOTHING, title: 'Objectives', table: { labels: 3, givesWay: ['margin', 'GO'], head, rows } };
}

/** Every planned window, run or not. */
export function windowsSection({ windows }: ReportModel): Section {
  const rows = windows.map((facts) => [
    plain(facts.window),
    verdictCell(facts.verdict),
    facts.outcome === 'ran' ? plain('ran') : toned(facts.outcome.replace('_', ' '), 'unsure'),
    toned(facts.violations, facts.violations === 0 ? 'plain' : 'bad'),
    shareCell(facts.pairs.received, facts.pairs.planned, facts.pairs.measured),
    shareCell(facts.pairs.firstAttempt, facts.pairs.planned, facts.pairs.measured),
    facts.burst ? shareCell(facts.burst.delivered, facts.burst.planned, facts.burst.planned) : plain('–'),
    plain(facts.tookMs === null ? '–' : shortDuration(facts.tookMs)),
    latencyCell(facts.pairs.latency),
    plain(facts.startedWallMs === null ? '–' : utcTime(facts.startedWallMs).slice(5)),
  ]);
  return {
    ...NOTHING,
    title: 'Windows',
    table: {
      labels: 3,
      head: [
        '#',
        'verdict',
        'outcome',
        'not GO',
        'pairs',
        '1st try',
        'burst',
        'took',
        'ms p50/p99/max',
        'started (UTC)',
      ],
      rows,
    },
    // Of a single window the verdict tells them already.
    bullets:
      windows.length === 1
        ? []
        : windows.flatMap(({ window, reasons }) => reasons.map((reason) => `window ${window}: ${reason}`)),
  };
}

const list = (title: string, bullets: readonly string[], none: string): Section => ({
  ...NOTHING,
  title,
  lines: bullets.length === 0 ? [none] : [],
  bullets,
});

export function missingSection({ missing }: ReportModel): Section {
  return list('Not seen', missing, 'Everything that the plan asked for was seen.');
}

export function incidentsSection({ incidents }: ReportModel): Section {
  return list(
    'Incidents',
    incidents,
    'No process ended unexpectedly, nothing was restarted, the harness had no fault.',
  );
}
