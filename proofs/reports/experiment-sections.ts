import { SCENARIO_MEASURES } from '../scenario-measures.ts';
import { shortNumber } from './cells.ts';
import type { ReportModel } from './report-model.ts';
import { plain, type Section, toned } from './section.ts';

const NAMES_SHOWN = 4;
const LINK_ROWS_SHOWN = 60; // a mesh over a dozen places has about as many

function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return [...names.slice(0, NAMES_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

/** Every fault: that it was felt, and that nothing of it is left. No section for a run without any. */
export function faultsSection({ faults }: ReportModel): readonly Section[] {
  if (faults.length === 0) return [];
  const rows = faults.map((fault) => [
    plain(fault.id),
    plain(`window ${fault.window} ${fault.scenario}`),
    plain(fault.kind),
    plain(namesText(fault.targets)),
    fault.bites === 'yes' ? toned('yes', 'good') : toned(fault.bites, 'unsure'),
    fault.lapsed.length === 0 ? toned('yes', 'good') : toned('lapsed', 'unsure'),
    fault.standsBecause === null ? toned('yes', 'good') : toned('NOT PROVEN', 'bad'),
  ]);
  const bullets = faults.flatMap(({ id, bitesWhy, lapsed, standsBecause }) => [
    ...(bitesWhy === null ? [] : [`${id}: ${bitesWhy}`]),
    ...lapsed.map((why) => `${id} lapsed: ${why}`),
    ...(standsBecause === null ? [] : [`${id} is not proven gone: ${standsBecause}`]),
  ]);
  const head = ['fault', 'in', 'kind', 'targets', 'felt', 'held', 'gone'];
  return [{ title: 'Faults', lines: [], table: { labels: 7, head, rows }, bullets }];
}

/** The figures that scenarios recorded. No section for a run without any. */
export function measuresSection({ measures }: ReportModel): readonly Section[] {
  if (measures.length === 0) return [];
  const rows = measures.map(({ window, scenario, name, node, peer, value, why }) => {
    const unit = SCENARIO_MEASURES[scenario]?.[name]?.unit ?? '1';
    const figure = value === null ? toned('–', 'unsure') : plain(shortNumber(value));
    return [
      plain(`window ${window} ${scenario}`),
      plain(name),
      plain(node === null ? 'mesh' : peer === null ? node : `${node}→${peer}`),
      plain(unit === '1' ? '' : unit),
      plain(why ?? ''),
      figure,
    ];
  });
  const head = ['in', 'figure', 'of', 'unit', 'why', 'value'];
  return [{ title: 'Figures of the scenarios', lines: [], table: { labels: 5, head, rows }, bullets: [] }];
}

/** What lay between the nodes, as it was set. No section for a run that set nothing. */
export function linksSection({ links }: ReportModel): readonly Section[] {
  if (links === null) return [];
  const rows = links.groups
    .slice(0, LINK_ROWS_SHOWN)
    .map(({ figures, edges }) => [
      plain(namesText(linkNames(edges))),
      plain(figures.latency_ms),
      plain(figures.jitter_ms),
      plain(`${shortNumber(figures.loss_ratio * 100)} %`),
      plain(figures.rate_kbit ?? '–'),
      plain(`${shortNumber(figures.reorder_ratio * 100)} %`),
    ]);
  const head = ['between', 'ms one way', '± ms', 'loss', 'kbit/s', 'reordered'];
  const more = links.groups.length - rows.length;
  const lines = more > 0 ? [`${rows.length} kinds of links; ${more} more are in plan.json`] : [];
  return [{ title: `Links: ${links.name}`, lines, table: { labels: 1, head, rows }, bullets: [] }];
}

/** `a↔b` where both directions are meant, `a→b` where one is. */
function linkNames(edges: readonly (readonly [string, string])[]): readonly string[] {
  const named = new Set(edges.map(([from, to]) => `${from}→${to}`));
  return edges.flatMap(([from, to]) => {
    if (!named.has(`${to}→${from}`)) return [`${from}→${to}`];
    return from < to ? [`${from}↔${to}`] : [];
  });
}
