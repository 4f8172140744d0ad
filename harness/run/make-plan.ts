import { UsageError } from '../../kit/errors.ts';
import { schemaError } from '../../kit/toml.ts';
import { allDirectedPairs, type Plan, planSchema } from '../../proofs/plan-schema.ts';
import { HARMLESS } from '../../proofs/safety-schema.ts';
import { scenarioNamed } from '../../scenarios/registry.ts';
import { harmOf } from '../../scenarios/scenario.ts';
import type { RunOptions, ScenarioRequest } from './run-options.ts';
import { gridOf } from './window-grid.ts';

const TELEMETRY_DEADLINE_SHARE = 0.8; // a round must end before the next begins

/** What a plan needs beside the operator's wishes. */
export interface PlanFacts {
  readonly runId: string;
  readonly createdWallMs: number;
  readonly seed: number;
  readonly network: string;
  readonly gate: { readonly name: string; readonly sha256: string };
  readonly bundleSha256: string;
}

/**
 * The plan of a run, complete before the first packet.
 * @throws UsageError naming the option, its value and what is expected
 */
export function makePlan(options: RunOptions, facts: PlanFacts): Plan {
  const names = options.nodes.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError('DUPLICATE_NODE', `--nodes: "${twice}" is named twice`);
  if (!names.includes(options.anchor)) {
    throw new UsageError('UNKNOWN_ANCHOR', `--anchor: "${options.anchor}" is not one of ${names.join(', ')}`);
  }
  const grid = gridOf(options.soak);
  return planSchema.parse({
    format: 'meshproof.plan.v1',
    run_id: facts.runId,
    created_wall_ms: facts.createdWallMs,
    seed: facts.seed,
    network: facts.network,
    roster: options.nodes,
    anchor: options.anchor,
    control: options.control,
    pairs: allDirectedPairs(names),
    expect_path: options.expectPath,
    scenarios: options.scenarios.map(planScenario),
    windows: { count: grid.count, interval_ms: grid.intervalMs },
    telemetry: {
      every_ms: options.telemetryEveryMs,
      deadline_ms: options.telemetryEveryMs * TELEMETRY_DEADLINE_SHARE,
    },
    ...(options.links && { links: options.links }),
    safety: options.safety ?? HARMLESS,
    gate: facts.gate,
    bundle_sha256: facts.bundleSha256,
  });
}

function planScenario(request: ScenarioRequest) {
  const scenario = scenarioNamed(request.name);
  const { name, options } = scenario;
  const parsed = options.safeParse(request.options);
  if (!parsed.success) throw schemaError(`scenario ${name}`, request.options, parsed.error);
  return { name, destructive: harmOf(scenario, parsed.data), options: parsed.data };
}
