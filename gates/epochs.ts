import { type BrokenGrowth, type CounterPoint, growthAlong } from '../proofs/counter-growth.ts';
import type { SampleRecord } from '../proofs/evidence.ts';
import { type MetricPath, metricAt } from '../proofs/metrics.ts';
import { isSeen, missing, type Observation, seen } from '../proofs/observation.ts';
import { count, type Reading, reading, unread } from './amounts.ts';
import { type EvidenceIndex, openDocument, placeText } from './evidence-index.ts';

/** A figure at one sample, with the process lifetime that it belongs to. */
export interface Point extends CounterPoint {
  readonly sample: SampleRecord;
}

/** The figure at `path` in `sample`, or why it cannot be trusted. */
export function pointAt(index: EvidenceIndex, sample: SampleRecord, path: MetricPath): Observation<Point> {
  const opened = openDocument(index, sample, path.document);
  if (!isSeen(opened)) return opened;
  const figure = metricAt({ [path.document]: opened.seen.content }, path);
  if (isSeen(figure)) {
    const { epoch } = opened.seen.stored;
    return seen({ sample, atMonoMs: sample.at_mono_ms, epoch, value: figure.seen });
  }
  const at = placeText(sample.node, path.document, sample.window, sample.scenario, sample.phase);
  return missing(figure.missing, `${at}: ${figure.why}; a numeric ${path.text} would decide it`);
}

const placeOf = ({ sample: { node, window, scenario, phase } }: Point, path: MetricPath) =>
  placeText(node, path.text, window, scenario, phase);

function whyBroken(growth: BrokenGrowth & { readonly from: Point; readonly to: Point }): string {
  const { from, to } = growth;
  switch (growth.broken) {
    case 'negative':
      return `a counter below 0 (${Math.min(from.value, to.value)})`;
    case 'reset': {
      const fell = `went back from ${from.value} to ${to.value} inside one epoch (counter reset)`;
      return `${fell}; a run without the reset would decide it`;
    }
    case 'restarted': {
      const decide = 'an interval without an undeclared restart would decide it';
      return `${to.sample.node} restarted undeclared (${growth.why}); ${decide}`;
    }
  }
}

/**
 * Growth of a counter between two points of one node, by the epoch rule of OpenMetrics: differences are taken inside
 * an epoch only, and never clamped. A declared restart counts the new process from 0 and names the lost tail; an
 * undeclared one, or a counter that went back, makes the whole growth unreadable.
 */
export function counterGrowth(index: EvidenceIndex, from: Point, to: Point, path: MetricPath): Reading {
  const { node } = to.sample;
  const between = index
    .boundaries(node)
    .filter((s) => s.at_mono_ms > from.sample.at_mono_ms && s.at_mono_ms < to.sample.at_mono_ms)
    .map((sample) => pointAt(index, sample, path))
    .filter(isSeen)
    .map((point) => point.seen);
  const growth = growthAlong(from, [...between, to], index.restarts(node));
  if ('broken' in growth) {
    return unread(missing('unreadable', `${placeOf(growth.to, path)}: ${whyBroken(growth)}`));
  }
  const notes = growth.restarted.map(({ point, lostSecs }) => {
    const tail = `at most ${lostSecs.toFixed(1)} s before it are lost`;
    return `${placeOf(point, path)}: counted from 0 after a declared restart; ${tail}`;
  });
  return reading(count(growth.grown), notes.length > 0 ? notes.join('; ') : null);
}
