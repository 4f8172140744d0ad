import { writeToString } from '@fast-csv/format';
import { seen } from '../observation.ts';
import { csvCell } from './cells.ts';
import type { FaultFacts } from './fault-facts.ts';
import type { ReportModel } from './report-model.ts';

const utc = (wallMs: number | null) => (wallMs === null ? '' : new Date(wallMs).toISOString());
const yes = (is: boolean) => (is ? 'yes' : 'no');

/** One entry per column of `faults.csv`. Times are those of the records; a cell without a time never happened. */
const FAULT_COLUMNS: Readonly<Record<string, (fault: FaultFacts) => string>> = {
  window: ({ window }) => String(window),
  scenario: ({ scenario }) => scenario,
  fault: ({ id }) => id,
  kind: ({ kind }) => kind,
  targets: ({ targets }) => targets.join(' '),
  edges: ({ edges }) => edges.map(([from, to]) => `${from}→${to}`).join(' '),
  requested_utc: ({ requestedWallMs }) => utc(requestedWallMs),
  applied_utc: ({ appliedWallMs }) => utc(appliedWallMs),
  looked_utc: ({ lookedWallMs }) => utc(lookedWallMs),
  applied: ({ applied }) => applied,
  bites: ({ bites }) => bites,
  held: ({ lapsed }) => yes(lapsed.length === 0),
  gone: ({ standsBecause }) => yes(standsBecause === null),
  why: ({ bitesWhy, lapsed, standsBecause }) =>
    [bitesWhy, ...lapsed, standsBecause].filter((why) => why !== null).join('; '),
};

/** `faults.csv`: one row per fault, in the order in which they were asked for; the head alone when there was none. */
export async function renderFaultsCsv({ faults }: ReportModel): Promise<string> {
  const columns = Object.entries(FAULT_COLUMNS);
  const rows = faults.map((fault) => columns.map(([name, read]) => csvCell(name, seen(read(fault)))));
  return await writeToString([columns.map(([name]) => name), ...rows], { includeEndRowDelimiter: true });
}
