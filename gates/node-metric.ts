import type { DocumentName } from '../proofs/evidence.ts';
import type { Reading } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Measure, Scope } from './gate-schema.ts';
import { type Cell, type Metric, type Question, spansOf } from './metric.ts';
import type { Span } from './spans.ts';

interface NodeMetricDefinition {
  readonly name: string;
  readonly measure: Measure;
  readonly scopes: readonly Exclude<Scope, 'pair'>[];
  readonly documents: readonly DocumentName[];
  readonly scenarios?: 'any' | 'named';
  read(index: EvidenceIndex, node: string, span: Span): Reading;
}

function cellsOf({ read }: NodeMetricDefinition, index: EvidenceIndex, question: Question): readonly Cell[] {
  const { nodes, windows } = index;
  const spans = spansOf(index, question.scenarios);
  switch (question.scope) {
    case 'node':
      return spans.flatMap((span) =>
        nodes.map((node) => ({ subject: node, nodes: [node], ...span, readings: [read(index, node, span)] })),
      );
    case 'fleet':
      return spans.map((span) => ({
        subject: 'fleet',
        nodes,
        ...span,
        readings: nodes.map((node) => read(index, node, span)),
      }));
    case 'window':
      return windows.flatMap((window) =>
        nodes.map((node) => ({
          subject: node,
          nodes: [node],
          window,
          scenario: null,
          readings: [read(index, node, { window, scenario: null })],
        })),
      );
    case 'soak':
      return nodes.map((node) => ({
        subject: node,
        nodes: [node],
        window: null,
        scenario: null,
        readings: windows.map((window) => read(index, node, { window, scenario: null })),
      }));
    case 'pair':
      return [];
  }
}

/** A metric that is read per node. In scope `soak` it is the sum over all windows, each from the last post before it. */
export function nodeMetric(definition: NodeMetricDefinition): Metric {
  const { name, measure, scopes, documents, scenarios = 'any' } = definition;
  return {
    name,
    measure,
    scopes,
    documents,
    scenarios,
    cells: (index, question) => cellsOf(definition, index, question),
  };
}
