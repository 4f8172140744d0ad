import { messageOf, UsageError } from '../kit/errors.ts';
import { sha256Hex } from '../kit/hash.ts';
import { parseToml, schemaError } from '../kit/toml.ts';
import { type Gate, type Objective, objectiveSchema, outlineSchema } from './gate-schema.ts';
import { metricNamed } from './metric-registry.ts';

function refuse(source: string, objective: string, field: string, why: string, cause?: unknown): UsageError {
  return new UsageError('GATE_OBJECTIVE', `${source}: objective "${objective}": ${field} ${why}`, {
    details: { file: source, objective, field },
    cause,
  });
}

function metricOf(source: string, objective: string, name: string) {
  try {
    return metricNamed(name);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw refuse(source, objective, 'metric', messageOf(error), error);
  }
}

function parseObjective(raw: Record<string, unknown>, position: number, source: string): Objective {
  const called = typeof raw.name === 'string' ? raw.name : `number ${position + 1}`;
  const parsed = objectiveSchema.safeParse(raw);
  if (!parsed.success) {
    const error = schemaError(`${source}: objective "${called}"`, raw, parsed.error);
    const details = { ...error.details, file: source, objective: called };
    throw new UsageError('GATE_OBJECTIVE', error.message, { details, cause: error });
  }
  const { name, metric: metricName, scope, scenarios, measure, limit, requires, why } = parsed.data;
  const { exempt_targets_of: exemptTargetsOf, except_in: exceptIn } = parsed.data;
  const metric = metricOf(source, name, metricName);
  if (!metric.scopes.includes(scope)) {
    const known = metric.scopes.join(', ');
    throw refuse(source, name, 'scope', `"${scope}" does not fit ${metricName}; expected one of ${known}`);
  }
  if (measure !== undefined && measure !== metric.measure) {
    throw refuse(
      source,
      name,
      'measure',
      `"${measure}" does not fit ${metricName}; expected ${metric.measure}`,
    );
  }
  if (metric.scenarios === 'named' && scenarios === undefined) {
    throw refuse(source, name, 'scenarios', `is missing: ${metricName} exists in certain scenarios only`);
  }
  if (metric.onlyIn !== undefined && scenarios?.some((one) => one !== metric.onlyIn)) {
    throw refuse(source, name, 'scenarios', `must be ["${metric.onlyIn}"]: only that records ${metricName}`);
  }
  if (exemptTargetsOf.length > 0 && metric.exempts === undefined) {
    throw refuse(source, name, 'exempt_targets_of', `does not fit ${metricName}, which is not read per node`);
  }
  if (exceptIn.length > 0 && scenarios !== undefined) {
    throw refuse(
      source,
      name,
      'except_in',
      'says nothing beside scenarios, which names all that it looks at',
    );
  }
  if (exceptIn.length > 0 && (scope === 'window' || scope === 'soak')) {
    throw refuse(source, name, 'except_in', `does not fit scope "${scope}", which is more than one scenario`);
  }
  const documents = [...new Set([...metric.documents, ...requires])];
  return {
    name,
    metric: metricName,
    scope,
    scenarios: scenarios ?? null,
    exceptIn,
    limit,
    documents,
    exemptTargetsOf,
    why,
  };
}

/**
 * Parses a gate definition (TOML) and checks every objective against the metric that it names, so that a gate that
 * cannot be judged is an error before the run.
 * @param source where the text is from, for messages
 * @throws UsageError `TOML_SYNTAX`, `TOML_VALUE` or `GATE_OBJECTIVE`, naming file, objective and field
 */
export function parseGate(text: string, source: string): Gate {
  const outline = parseToml(text, source, outlineSchema);
  const objectives = outline.objective.map((raw, position) => parseObjective(raw, position, source));
  const names = objectives.map((objective) => objective.name);
  const twice = names.find((name, position) => names.indexOf(name) !== position);
  if (twice !== undefined) throw refuse(source, twice, 'name', 'is used twice');
  return {
    name: outline.name,
    description: outline.description,
    sha256: sha256Hex(text),
    requiresScenarios: outline.requires_scenarios,
    objectives,
  };
}

/** Every scenario that a definition names, so that a run can refuse a name that does not exist before it starts. */
export function scenariosNamedBy(gate: Gate): readonly string[] {
  return [
    ...new Set([
      ...gate.requiresScenarios,
      ...gate.objectives.flatMap((o) => [...(o.scenarios ?? []), ...o.exceptIn, ...o.exemptTargetsOf]),
    ]),
  ];
}
