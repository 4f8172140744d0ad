import { parseMetricPath } from '../proofs/metrics.ts';
import { isSeen, missing } from '../proofs/observation.ts';
import { count, type Reading, reading, unread } from './amounts.ts';
import { pointAt } from './epochs.ts';
import { type EvidenceIndex, openDocument, placeText, sampleOrWhy } from './evidence-index.ts';
import type { Metric } from './metric.ts';
import { nodeMetric } from './node-metric.ts';
import type { Span } from './spans.ts';

const CONNECTED = parseMetricPath('connectivity.connections.connected_peers');

function textAt(content: unknown, key: string): string | null {
  const value = typeof content === 'object' && content !== null ? Reflect.get(content, key) : undefined;
  return typeof value === 'string' ? value : null;
}

function readHealth(index: EvidenceIndex, node: string, { window, scenario }: Span): Reading {
  const sample = sampleOrWhy(index, node, window, scenario, 'post');
  if (!isSeen(sample)) return unread(sample);
  const health = openDocument(index, sample.seen, 'health');
  if (!isSeen(health)) return unread(health);
  const status = textAt(health.seen.content, 'status');
  if (status === 'healthy') return reading(count(0));
  if (status === 'degraded') {
    const why = textAt(health.seen.content, 'degraded_reason') ?? 'no reason given';
    return reading(count(1), `${node} is degraded: ${why}`);
  }
  const at = placeText(node, 'health', window, scenario, 'post');
  const told = status === null ? 'names no status' : `names the unknown status "${status}"`;
  return unread(missing('unreadable', `${at}: ${told}; healthy or degraded would decide it`));
}

function readLinks(index: EvidenceIndex, node: string, { window, scenario }: Span): Reading {
  const sample = sampleOrWhy(index, node, window, scenario, 'post');
  if (!isSeen(sample)) return unread(sample);
  const point = pointAt(index, sample.seen, CONNECTED);
  if (!isSeen(point)) return unread(point);
  const { value: connected } = point.seen;
  const planned = index.nodes.length - 1;
  if (connected < 0 || connected > planned) {
    const at = placeText(node, CONNECTED.text, window, scenario, 'post');
    const why = `${at}: ${connected} connected peers, the plan holds ${planned} others`;
    return unread(missing('unreadable', `${why}; a mesh of the planned nodes alone would decide it`));
  }
  const lacking = planned - connected;
  return reading(
    count(lacking),
    lacking === 0 ? null : `${node}: ${connected} of ${planned} peers connected`,
  );
}

/** How a node stands at the end of a scenario, in words and links that are no plain figure. */
export const nodeStateMetrics: readonly Metric[] = [
  nodeMetric({
    name: 'health.degraded',
    measure: 'count',
    scopes: ['node'],
    documents: ['health'],
    read: readHealth,
  }),
  nodeMetric({
    name: 'fleet.missing_links',
    measure: 'count',
    scopes: ['node'],
    documents: ['connectivity'],
    read: readLinks,
  }),
];
