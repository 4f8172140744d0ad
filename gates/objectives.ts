import type { Finding } from '../proofs/evidence.ts';
import { isSeen, missing, type Observation, seen } from '../proofs/observation.ts';
import { type Amount, amountText, compared, listed, pool, type Value } from './amounts.ts';
import type { EvidenceIndex } from './evidence-index.ts';
import type { Limit, Objective } from './gate-schema.ts';
import type { Cell, Metric } from './metric.ts';
import { metricNamed } from './metric-registry.ts';
import { missingDocuments } from './required-documents.ts';

/** Distance to the nearer limit, negative when broken; null when infinity leaves no distance. */
function marginOf(value: Value, { max, min }: Limit): number | null {
  if (value === 'infinity') return null;
  const distances = [
    ...(max === undefined ? [] : [max - value]),
    ...(min === undefined ? [] : [value - min]),
  ];
  return Math.min(...distances);
}

function isWithin(value: Value, { max, min }: Limit): boolean {
  if (value === 'infinity') return max === undefined;
  return (max === undefined || value <= max) && (min === undefined || value >= min);
}

function maximumOf({ max }: Limit): Limit {
  return max === undefined ? {} : { max };
}

function limitText({ max, min }: Limit): string {
  const parts = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ];
  return parts.join(' and ');
}

function figureText(value: Value, amount: Amount): string {
  const rounded = value === 'infinity' ? value : String(Number(value.toPrecision(6)));
  return 'part' in amount ? `${rounded} (${amountText(amount)})` : rounded;
}

/** Judges one cell. What is missing decides against a GO, unless what was seen alone already breaks the limit. */
function judgeCell(
  index: EvidenceIndex,
  objective: Objective,
  { broken = 'NO-GO' }: Metric,
  scenarios: readonly string[],
  cell: Cell,
): Finding {
  const { limit } = objective;
  const { subject, window, scenario } = cell;
  const at = { objective: objective.name, scope: objective.scope, subject, window, scenario, limit };
  if (cell.exempt !== undefined && cell.readings.length === 0) {
    const value = missing('absent', cell.exempt);
    return { ...at, verdict: 'GO', value, margin: null, reason: `${subject}: ${cell.exempt}` };
  }
  const pooled = pool(cell.readings);
  const gaps = [
    ...new Set([...pooled.missing, ...missingDocuments(index, cell, scenarios, objective.documents)]),
  ];
  const figure: Observation<Value> =
    pooled.seen === null ? missing('absent', 'nothing was read') : compared(pooled.seen);
  const notes = [
    ...cell.readings.map((one) => one.note).filter((note) => note !== null),
    ...(cell.exempt === undefined ? [] : [cell.exempt]),
  ];

  // Events only add up and the worst only gets worse, so what was seen may already be past a maximum.
  const onlyGrows = pooled.seen?.kind === 'count' || pooled.seen?.kind === 'worst';
  const bound = onlyGrows && pooled.missing.length > 0 ? maximumOf(limit) : limit;
  const isCertain = onlyGrows || pooled.missing.length === 0;
  if (isSeen(figure) && pooled.seen !== null && isCertain && !isWithin(figure.seen, bound)) {
    const measured = `${figureText(figure.seen, pooled.seen)}, limit ${limitText(limit)}`;
    const reason = notes.length > 0 ? `${listed(notes)}; ${measured}` : `${subject}: ${measured}`;
    const margin = marginOf(figure.seen, limit);
    return { ...at, verdict: broken, value: figure, margin, reason };
  }
  if (!isSeen(figure) || gaps.length > 0) {
    const why = gaps.length > 0 ? listed(gaps) : isSeen(figure) ? '' : `${subject}: ${figure.why}`;
    const kind = gaps.length === 0 && !isSeen(figure) ? figure.missing : kindOf(gaps[0]);
    return { ...at, verdict: 'INCONCLUSIVE', value: missing(kind, why), margin: null, reason: why };
  }
  const said = pooled.seen === null ? '' : figureText(figure.seen, pooled.seen);
  const measured = `${subject}: ${said}, limit ${limitText(limit)}`;
  const reason = notes.length > 0 ? `${measured}; ${listed(notes)}` : measured;
  return { ...at, verdict: 'GO', value: seen(figure.seen), margin: marginOf(figure.seen, limit), reason };
}

function kindOf(gap: string | undefined): 'absent' | 'unreadable' | 'stale' {
  return (['stale', 'unreadable'] as const).find((kind) => gap?.startsWith(`${kind}: `)) ?? 'absent';
}

/** An objective whose scenarios were planned, and which found no place to look at, must not vanish into a GO. */
function nothingMeasured({ name, scope, limit, metric }: Objective): Finding {
  const why = `nothing was measured: the plan holds nothing that ${metric} looks at; a plan with it would decide it`;
  const at = {
    objective: name,
    scope,
    subject: scope === 'fleet' ? 'fleet' : 'soak',
    window: null,
    scenario: null,
  };
  return { ...at, verdict: 'INCONCLUSIVE', value: missing('absent', why), limit, margin: null, reason: why };
}

/** Every finding of one objective: one per node, pair, window… of the sealed plan that its scope covers. */
export function judgeObjective(index: EvidenceIndex, objective: Objective): readonly Finding[] {
  const scenarios = index.scenarios.filter(
    (name) => objective.scenarios?.includes(name) ?? !objective.exceptIn.includes(name),
  );
  if (scenarios.length === 0) return [];
  const metric = metricNamed(objective.metric);
  const cells = metric.cells(index, {
    scope: objective.scope,
    scenarios,
    isExempt: (node, window, scenario) =>
      objective.exemptTargetsOf.some(
        (of) => (scenario === null || scenario === of) && index.faults.targets(window, of).has(node),
      ),
  });
  if (cells.length === 0) return [nothingMeasured(objective)];
  return cells.map((cell) => judgeCell(index, objective, metric, scenarios, cell));
}
