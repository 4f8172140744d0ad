import { type CounterPoint, growthBetween } from '../proofs/counter-growth.ts';
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
  if (isSeen(figure)) return seen({ sample, epoch: opened.seen.stored.epoch, value: figure.seen });
  const at = placeText(sample.node, path.document, sample.window, sample.scenario, sample.phase);
  return missing(figure.missing, `${at}: ${figure.why}; a numeric ${path.text} would decide it`);
}

/** Growth of a counter from `a` to `b`, neighbouring points of one document. */
function step(index: EvidenceIndex, a: Point, b: Point, path: MetricPath): Reading {
  const { node } = b.sample;
  const where = `${placeText(node, path.text, b.sample.window, b.sample.scenario, b.sample.phase)}`;
  const growth = growthBetween(a, b);
  if ('grown' in growth) return reading(count(growth.grown));
  if (growth.broken === 'negative')
    return unread(missing('unreadable', `${where}: a counter below 0 (${Math.min(a.value, b.value)})`));
  if (growth.broken === 'reset') {
    const fell = `went back from ${a.value} to ${b.value} inside one epoch (counter reset)`;
    return unread(missing('unreadable', `${where}: ${fell}; a run without the reset would decide it`));
  }
  const between = index
    .restarts(node)
    .filter((r) => r.firstSeenMonoMs > a.sample.at_mono_ms && r.firstSeenMonoMs <= b.sample.at_mono_ms);
  const undeclared = between.find((restart) => !restart.declared);
  if (undeclared !== undefined || between.length === 0) {
    const why = undeclared?.why ?? 'its uptime went back';
    const decide = 'an interval without an undeclared restart would decide it';
    return unread(missing('unreadable', `${where}: ${node} restarted undeclared (${why}); ${decide}`));
  }
  const bootedMonoMs = b.sample.at_mono_ms - b.epoch.uptime_secs * 1_000;
  const tailSecs = Math.max(0, (bootedMonoMs - a.sample.at_mono_ms) / 1_000);
  const lost = `counted from 0 after a declared restart; at most ${tailSecs.toFixed(1)} s before it are lost`;
  return reading(count(b.value), `${where}: ${lost}`);
}

/**
 * Growth of a counter between two points of one node, by the epoch rule of OpenMetrics: differences are taken inside
 * an epoch only, and never clamped. A declared restart counts the new process from 0 and names the lost tail; an
 * undeclared one, or a counter that went back, makes the whole growth unreadable.
 */
export function counterGrowth(index: EvidenceIndex, from: Point, to: Point, path: MetricPath): Reading {
  const between = index
    .boundaries(to.sample.node)
    .filter((s) => s.at_mono_ms > from.sample.at_mono_ms && s.at_mono_ms < to.sample.at_mono_ms)
    .map((sample) => pointAt(index, sample, path))
    .filter(isSeen)
    .map((point) => point.seen);
  let total = 0;
  const notes: string[] = [];
  let before = from;
  for (const point of [...between, to]) {
    const grown = step(index, before, point, path);
    if (!isSeen(grown.amount)) return grown;
    if (grown.amount.seen.kind === 'count') total += grown.amount.seen.count;
    if (grown.note !== null) notes.push(grown.note);
    before = point;
  }
  return reading(count(total), notes.length > 0 ? notes.join('; ') : null);
}
