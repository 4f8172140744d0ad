import type { MetricPath } from '../proofs/metrics.ts';
import { isSeen, missing, type Observation } from '../proofs/observation.ts';
import { type Point, pointAt } from './epochs.ts';
import { type EvidenceIndex, type Phase, sampleOrWhy } from './evidence-index.ts';

/** A stretch of a run: one scenario of a window, or (`scenario` null) a whole window with the gap before it. */
export interface Span {
  readonly window: number;
  readonly scenario: string | null;
}

function edge(
  index: EvidenceIndex,
  node: string,
  window: number,
  scenario: string,
  phase: Phase,
  path: MetricPath,
): Observation<Point> {
  const sample = sampleOrWhy(index, node, window, scenario, phase);
  return isSeen(sample) ? pointAt(index, sample.seen, path) : sample;
}

/** The point that closes `span`: the post sample of its scenario, or of the window's last scenario. */
export function closingPoint(
  index: EvidenceIndex,
  node: string,
  span: Span,
  path: MetricPath,
): Observation<Point> {
  const scenario = span.scenario ?? index.scenarios.at(-1);
  if (scenario === undefined) return missing('absent', 'the plan holds no scenario');
  return edge(index, node, span.window, scenario, 'post', path);
}

/**
 * The point that a delta over `span` starts from. For a scenario: its own pre sample. For a window: the last post that
 * was seen in an earlier window, so that nothing between windows escapes, else the window's own first pre sample.
 */
export function openingPoint(
  index: EvidenceIndex,
  node: string,
  span: Span,
  path: MetricPath,
): Observation<Point> {
  if (span.scenario !== null) return edge(index, node, span.window, span.scenario, 'pre', path);
  for (let window = span.window - 1; window >= 1; window -= 1) {
    const earlier = closingPoint(index, node, { window, scenario: null }, path);
    if (isSeen(earlier)) return earlier;
  }
  const first = index.scenarios[0];
  if (first === undefined) return missing('absent', 'the plan holds no scenario');
  return edge(index, node, span.window, first, 'pre', path);
}
