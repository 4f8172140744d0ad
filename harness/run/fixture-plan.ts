import type { Plan } from '../../proofs/plan-schema.ts';
import { makePlan, type PlanFacts } from './make-plan.ts';
import type { RunOptions } from './run-options.ts';

/** Test-only: a run of two nodes that asks for nothing, and its plan. */
export const FIXTURE_OPTIONS: RunOptions = {
  command: ['run'],
  nodes: ['a', 'b'].map((name) => ({ name, region: null })),
  anchor: 'a',
  control: 'loopback',
  expectPath: 'raw_quic_acked',
  scenarios: [],
  soak: null,
  gate: 'limited-production',
  proofDir: null,
  seed: 1,
  discoverMs: 1_000,
  telemetryEveryMs: 1_000,
};

export const FIXTURE_FACTS: PlanFacts = {
  runId: 'r',
  createdWallMs: 0,
  seed: 1,
  network: 'n',
  gate: { name: 'g', sha256: 'a'.repeat(64) },
  bundleSha256: 'b'.repeat(64),
};

export function fixturePlan(overrides: Partial<RunOptions> = {}): Plan {
  return makePlan({ ...FIXTURE_OPTIONS, ...overrides }, FIXTURE_FACTS);
}
