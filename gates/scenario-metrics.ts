import { UsageError } from '../kit/errors.ts';
import { missing } from '../proofs/observation.ts';
import { SCENARIO_MEASURES, type ScenarioMeasure } from '../proofs/scenario-measures.ts';
import { type Amount, count, type Reading, reading, unread } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Measure } from './gate-schema.ts';
import { type Cell, type Metric, spansOf } from './metric.ts';

const MEASURE_OF: Readonly<Record<ScenarioMeasure['pooled'], Measure>> = {
  greatest: 'worst',
  least: 'least',
  sum: 'count',
};

function amountOf(pooled: ScenarioMeasure['pooled'], value: number): Amount {
  if (pooled === 'sum') return count(value);
  return { kind: pooled === 'least' ? 'least' : 'worst', value };
}

/** Who must have a figure in one window. */
function subjectsOf(
  { of }: ScenarioMeasure,
  index: EvidenceIndex,
  window: number,
  scenario: string,
): readonly string[] {
  const targets = index.faults.targets(window, scenario);
  if (of === 'target') return index.nodes.filter((node) => targets.has(node));
  if (of === 'observer') return index.nodes.filter((node) => !targets.has(node));
  return index.nodes;
}

/** Every figure that `node` (null: the mesh) has under that name; what is not there or has no value is missing. */
function readFigures(
  index: EvidenceIndex,
  place: {
    readonly window: number;
    readonly scenario: string;
    readonly name: string;
    readonly node: string | null;
  },
  measure: ScenarioMeasure,
): readonly Reading[] {
  const { window, scenario, name, node } = place;
  const whose = node === null ? '' : `${node}: `;
  const decide = 'a run in which it is measured would decide it';
  const own = index
    .of('measurement')
    .filter(
      (one) => one.window === window && one.scenario === scenario && one.name === name && one.node === node,
    );
  if (own.length === 0) {
    const why = `${whose}${name} of ${scenario} was not recorded in window ${window}; ${decide}`;
    return [unread(missing('absent', why))];
  }
  // A scenario looks at the mesh through every way; with one of them lost it was half blind.
  const lost = index.ways.whyLost(index.nodes, { window, scenario });
  if (lost !== null) {
    return [unread(missing('unreadable', `${whose}${name} of ${scenario}: ${lost}; ${decide}`))];
  }
  return own.map(({ peer, value, why }) => {
    const edge = peer === null ? whose : `${node}→${peer}: `;
    if (value === null) {
      return unread(missing('absent', `${edge}${name}: ${why ?? 'no value'}; ${decide}`));
    }
    const unit = measure.unit === '1' || measure.unit === 'ratio' ? '' : ` ${measure.unit}`;
    const note = why ?? (node === null ? null : `${name} ${Number(value.toPrecision(6))}${unit}`);
    return reading(amountOf(measure.pooled, value), note === null ? null : `${edge}${note}`);
  });
}

function scenarioMetric(name: string, scenario: string, short: string, measure: ScenarioMeasure): Metric {
  const isOfMesh = measure.of === 'mesh';
  return {
    name,
    measure: MEASURE_OF[measure.pooled],
    scopes: isOfMesh ? ['fleet'] : ['node', 'fleet'],
    documents: [],
    scenarios: 'named',
    onlyIn: scenario,
    ...(measure.decides === 'experiment' && { broken: 'INCONCLUSIVE' as const }),
    cells: (index, question) =>
      spansOf(index, question.scenarios).flatMap(({ window }): Cell[] => {
        const place = { window, scenario, name: short };
        if (isOfMesh) {
          const readings = readFigures(index, { ...place, node: null }, measure);
          return [{ subject: 'fleet', window, scenario, nodes: [], readings }];
        }
        const nodes = subjectsOf(measure, index, window, scenario);
        if (nodes.length === 0) {
          const why = `${scenario} of window ${window} had no ${measure.of}; a run with one would decide it`;
          return [
            { subject: 'fleet', window, scenario, nodes: [], readings: [unread(missing('absent', why))] },
          ];
        }
        const read = (node: string) => readFigures(index, { ...place, node }, measure);
        return question.scope === 'fleet'
          ? [{ subject: 'fleet', window, scenario, nodes, readings: nodes.flatMap(read) }]
          : nodes.map((node) => ({ subject: node, window, scenario, nodes: [node], readings: read(node) }));
      }),
  };
}

/**
 * The metric of a figure that a scenario declares, `scenario.<scenario>.<measure>`; undefined for other names.
 * @throws UsageError `UNKNOWN_METRIC` when no scenario declares it
 */
export function scenarioMetricNamed(name: string): Metric | undefined {
  const parts = /^scenario\.([^.]+)\.([^.]+)$/.exec(name);
  if (parts === null) return undefined;
  const [, scenario = '', short = ''] = parts;
  const measure = SCENARIO_MEASURES[scenario]?.[short];
  if (measure !== undefined) return scenarioMetric(name, scenario, short, measure);
  const known = Object.entries(SCENARIO_MEASURES).flatMap(([of, measures]) =>
    Object.keys(measures).map((one) => `scenario.${of}.${one}`),
  );
  throw new UsageError('UNKNOWN_METRIC', `"${name}" is recorded by no scenario; known: ${known.join(', ')}`, {
    details: { metric: name },
  });
}
