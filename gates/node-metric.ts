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
  const { isExempt } = question;
  const spans = spansOf(index, question.scenarios);
  switch (question.scope) {
    case 'node':
      return spans.flatMap((span) =>
        nodes.map((node): Cell => {
          const cell = { subject: node, nodes: [node], ...span };
          return isExempt(node, span.window, span.scenario)
            ? { ...cell, readings: [], exempt: exemptText([node], span) }
            : { ...cell, readings: [read(index, node, span)] };
        }),
      );
    case 'fleet':
      return spans.map((span): Cell => {
        const left = nodes.filter((node) => !isExempt(node, span.window, span.scenario));
        const exempt = nodes.filter((node) => !left.includes(node));
        return {
          subject: 'fleet',
          nodes: left,
          ...span,
          readings: left.map((node) => read(index, node, span)),
          ...(exempt.length > 0 && { exempt: exemptText(exempt, span) }),
        };
      });
    case 'window':
      return windows.flatMap((window) =>
        nodes.map((node): Cell => {
          const span = { window, scenario: null };
          const cell = { subject: node, nodes: [node], ...span };
          return isExempt(node, window, null)
            ? { ...cell, readings: [], exempt: exemptText([node], span) }
            : { ...cell, readings: [read(index, node, span)] };
        }),
      );
    case 'soak':
      return nodes.map((node): Cell => {
        const left = windows.filter((window) => !isExempt(node, window, null));
        const exempt = windows.filter((window) => !left.includes(window));
        return {
          subject: node,
          nodes: left.length > 0 ? [node] : [],
          window: null,
          scenario: null,
          readings: left.map((window) => read(index, node, { window, scenario: null })),
          ...(exempt.length > 0 && {
            exempt: exempt.map((window) => exemptText([node], { window, scenario: null })).join('; '),
          }),
        };
      });
    case 'pair':
      return [];
  }
}

function exemptText(nodes: readonly string[], { window, scenario }: Span): string {
  const where = scenario === null ? `window ${window}` : scenario;
  return `${nodes.join(', ')} exempt as the target of a fault in ${where}`;
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
    exempts: 'targets',
    cells: (index, question) => cellsOf(definition, index, question),
  };
}
