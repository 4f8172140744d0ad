import { parseMetricPath } from '../proofs/metrics.ts';
import { isSeen } from '../proofs/observation.ts';
import { type Amount, type Reading, reading, unread } from './amounts.ts';
import { counterGrowth, pointAt } from './epochs.ts';
import { type EvidenceIndex, sampleOrWhy } from './evidence-index.ts';
import type { Metric } from './metric.ts';
import { nodeMetric } from './node-metric.ts';
import { closingPoint, openingPoint, type Span } from './spans.ts';

function growth(index: EvidenceIndex, node: string, span: Span, text: string): Reading {
  const path = parseMetricPath(text);
  const from = openingPoint(index, node, span, path);
  if (!isSeen(from)) return unread(from);
  const to = closingPoint(index, node, span, path);
  if (!isSeen(to)) return unread(to);
  return counterGrowth(index, from.seen, to.seen, path);
}

function last(index: EvidenceIndex, node: string, span: Span, text: string): Reading {
  const point = closingPoint(index, node, span, parseMetricPath(text));
  return isSeen(point) ? reading({ kind: 'gauge', value: point.seen.value }) : unread(point);
}

/** A counter of a diagnostics document, as its growth over the span. */
export function counterMetric(path: string): Metric {
  return nodeMetric({
    name: path,
    measure: 'delta',
    scopes: ['node', 'fleet', 'window', 'soak'],
    documents: [parseMetricPath(path).document],
    read: (index, node, span) => growth(index, node, span, path),
  });
}

/** A gauge of a diagnostics document, as it stands at the end of the span. */
export function gaugeMetric(path: string): Metric {
  return nodeMetric({
    name: path,
    measure: 'last',
    scopes: ['node', 'window'],
    documents: [parseMetricPath(path).document],
    read: (index, node, span) => last(index, node, span, path),
  });
}

function eventRatio(name: string, events: string, opportunities: string): Metric {
  return nodeMetric({
    name,
    measure: 'ratio',
    scopes: ['node', 'fleet', 'window', 'soak'],
    documents: [parseMetricPath(events).document],
    read(index, node, span) {
      const part = growth(index, node, span, events);
      const whole = growth(index, node, span, opportunities);
      if (!isSeen(part.amount)) return part;
      if (!isSeen(whole.amount)) return whole;
      if (part.amount.seen.kind !== 'count' || whole.amount.seen.kind !== 'count') return part;
      const amount: Amount = {
        kind: 'events',
        part: part.amount.seen.count,
        whole: whole.amount.seen.count,
      };
      return reading(amount, part.note ?? whole.note);
    },
  });
}

const SUPPRESSED = parseMetricPath('gossip.pubsub_stages.suppressed_peers.length');
const KNOWN = parseMetricPath('gossip.pubsub_stages.peer_scores.length');

/**
 * Suppressed over known peer-topic pairs at the end. Known is the larger of the two ends, since a node may show an
 * empty score list for a moment; that needs both ends to be seen.
 */
const suppressionRatio = nodeMetric({
  name: 'gossip.suppression_ratio',
  measure: 'ratio',
  scopes: ['node', 'fleet'],
  documents: ['gossip'],
  read(index, node, { window, scenario }) {
    const pre = sampleOrWhy(index, node, window, scenario, 'pre');
    if (!isSeen(pre)) return unread(pre);
    const post = sampleOrWhy(index, node, window, scenario, 'post');
    if (!isSeen(post)) return unread(post);
    const suppressed = pointAt(index, post.seen, SUPPRESSED);
    if (!isSeen(suppressed)) return unread(suppressed);
    const before = pointAt(index, pre.seen, KNOWN);
    if (!isSeen(before)) return unread(before);
    const after = pointAt(index, post.seen, KNOWN);
    if (!isSeen(after)) return unread(after);
    const known = Math.max(before.seen.value, after.seen.value);
    return reading({ kind: 'events', part: suppressed.seen.value, whole: known });
  },
});

/** Ratios of gossip counters, by name. */
export const gossipRatios: readonly Metric[] = [
  eventRatio(
    'gossip.per_peer_timeout_ratio',
    'gossip.pubsub_stages.republish_per_peer_timeout',
    'gossip.dispatcher.pubsub.completed',
  ),
  eventRatio(
    'gossip.dispatcher_timeout_ratio',
    'gossip.dispatcher.pubsub.timed_out',
    'gossip.dispatcher.pubsub.completed',
  ),
  eventRatio(
    'gossip.receive_drop_ratio',
    'gossip.recv_pump.pubsub.dropped_full',
    'gossip.recv_pump.pubsub.produced_total',
  ),
  suppressionRatio,
];
