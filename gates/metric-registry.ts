import { UsageError } from '../kit/errors.ts';
import { parseMetricPath } from '../proofs/metrics.ts';
import { burstMetrics } from './burst-metrics.ts';
import { figureKind } from './diagnostics-catalogue.ts';
import { counterMetric, gaugeMetric, gossipRatios } from './diagnostics-metrics.ts';
import type { Metric } from './metric.ts';
import { nodeStateMetrics } from './node-state-metrics.ts';
import { pairMetrics } from './pair-metrics.ts';
import { runMetrics } from './run-metrics.ts';
import { scenarioMetricNamed } from './scenario-metrics.ts';
import { missingRounds } from './scheduled-rounds.ts';

const derived = new Map(
  [...pairMetrics, ...burstMetrics, ...gossipRatios, ...nodeStateMetrics, ...runMetrics, missingRounds].map(
    (metric) => [metric.name, metric],
  ),
);

/**
 * The metric called `name`: a derived one, or a figure of a diagnostics document by its path.
 * @throws UsageError `UNKNOWN_METRIC` or `METRIC_PATH` saying what is known
 */
export function metricNamed(name: string): Metric {
  const known = derived.get(name);
  if (known !== undefined) return known;
  const recorded = scenarioMetricNamed(name);
  if (recorded !== undefined) return recorded;
  const kind = figureKind(name);
  if (kind === 'counter') return counterMetric(name);
  if (kind === 'gauge') return gaugeMetric(name);
  const names = [...derived.keys()].join(', ');
  const isPath = /^[a-z]+\./.test(name) && !/^(pairs|burst|fleet|telemetry|scenario)\./.test(name);
  if (isPath) parseMetricPath(name);
  throw new UsageError(
    'UNKNOWN_METRIC',
    `"${name}" is not a figure of the diagnostics documents, nor one of ${names}`,
    { details: { metric: name } },
  );
}
