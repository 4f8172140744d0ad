import { DOCUMENT_NAMES, type RecordOf, type SampleRecord } from '../proofs/evidence.ts';
import { isSeen, missing } from '../proofs/observation.ts';
import { listed, type Reading, reading, unread } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import { excusedRounds } from './excused-rounds.ts';
import type { Cell, Metric } from './metric.ts';

/** Documents that a scheduled round did not see; rounds keep no others, so none missing means all seen. */
function unseenIn({ documents, epoch }: SampleRecord): string | null {
  const gone = DOCUMENT_NAMES.filter((name) => {
    const observed = documents[name];
    return observed !== undefined && !isSeen(observed);
  });
  if (epoch === null || gone.length === DOCUMENT_NAMES.length) return 'all documents';
  return gone.length === 0 ? null : gone.join(', ');
}

function placeOf(window: number | null): string {
  return window === null ? 'outside windows' : `in window ${window}`;
}

/** Time of day, UTC. A clock that tells no date must not stop the judge, so its number is shown. */
function timeText(wallMs: number): string {
  const date = new Date(wallMs);
  return Number.isNaN(date.getTime()) ? `wall clock ${wallMs} ms` : date.toISOString().slice(11);
}

/** `9 rounds outside windows not seen (all documents), 12:00:31.000Z to 12:00:40.000Z`, one per window. */
function unseenText(rounds: readonly SampleRecord[]): string[] {
  return [...Map.groupBy(rounds, ({ window }) => window)].map(([window, group]) => {
    const whats = [...new Set(group.map(unseenIn))].join(' or ');
    const at = (sample: SampleRecord | undefined) =>
      sample === undefined ? '' : timeText(sample.at_wall_ms);
    const when = group.length === 1 ? `at ${at(group[0])}` : `${at(group[0])} to ${at(group.at(-1))}`;
    return `${group.length} rounds ${placeOf(window)} not seen (${whats}), ${when}`;
  });
}

/**
 * Slots of the schedule that no round filled. A round may be late by up to one slot before the schedule skips slots,
 * so a silence of two slots or more holds skipped ones.
 */
function silentSlots(index: EvidenceIndex): number {
  const { every_ms: everyMs } = index.evidence.plan.telemetry;
  const atMs = index
    .of('sample')
    .map((sample) => sample.at_mono_ms)
    .toSorted((a, b) => a - b);
  const [startMs, endMs] = [atMs[0], atMs.at(-1)];
  if (startMs === undefined || endMs === undefined) return 0;
  const rounds = new Set(index.of('sample').flatMap((s) => (s.phase === 'schedule' ? [s.at_mono_ms] : [])));
  const points = [startMs, ...[...rounds].toSorted((a, b) => a - b), endMs];
  return points
    .slice(1)
    .reduce(
      (sum, at, before) => sum + Math.max(0, Math.floor((at - (points[before] ?? at)) / everyMs) - 1),
      0,
    );
}

/** What concerns every node alike. */
interface FleetRounds {
  readonly most: number;
  readonly skips: readonly RecordOf<'telemetry_skipped'>[];
  readonly skipped: number;
  readonly silent: number;
}

function fleetRounds(index: EvidenceIndex): FleetRounds {
  const skips = index.of('telemetry_skipped');
  const skipped = skips.reduce((sum, { rounds }) => sum + rounds, 0);
  const most = Math.max(0, ...index.nodes.map((name) => index.scheduled(name).length));
  return { most, skips, skipped, silent: Math.max(0, silentSlots(index) - skipped) };
}

function readRounds(index: EvidenceIndex, node: string, fleet: FleetRounds): Reading {
  const own = index.scheduled(node);
  const decide = `a run in which every scheduled round sees ${node} would decide it`;
  if (own.length === 0) {
    return unread(missing('absent', `${node}: no scheduled round of telemetry was recorded; ${decide}`));
  }
  const isExcused = excusedRounds(index, node);
  const unseen = own.filter((sample) => unseenIn(sample) !== null && !isExcused(sample));
  const { most, skips, skipped, silent } = fleet;
  const unrecorded = most - own.length;
  const notes = [
    ...unseenText(unseen),
    ...(unrecorded > 0 ? [`${unrecorded} rounds that saw others hold no record of it`] : []),
    ...skips.map(({ rounds, window, why }) => `${rounds} rounds ${placeOf(window)} were skipped: ${why}`),
    ...(silent > 0 ? [`${silent} slots of the schedule passed without a round`] : []),
  ];
  const lost = unseen.length + unrecorded + skipped + silent;
  const amount = { kind: 'events', part: lost, whole: own.length + unrecorded + skipped + silent } as const;
  return reading(amount, notes.length === 0 ? null : `${node}: ${listed(notes)}`);
}

/**
 * Per node, scheduled rounds that did not see all of it, over all rounds that the schedule held. Skipped rounds count for
 * every node. Past its limit too little was seen to tell: that proves no defect, so it is INCONCLUSIVE.
 */
export const missingRounds: Metric = {
  name: 'telemetry.missing_rounds_ratio',
  measure: 'ratio',
  scopes: ['soak'],
  documents: [],
  scenarios: 'any',
  broken: 'INCONCLUSIVE',
  cells: (index) => {
    const fleet = fleetRounds(index);
    return index.nodes.map(
      (node): Cell => ({
        subject: node,
        window: null,
        scenario: null,
        nodes: [node],
        readings: [readRounds(index, node, fleet)],
      }),
    );
  },
};
