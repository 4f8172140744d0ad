import type { BurstDelivery, Finding, Verdict } from '../evidence.ts';
import type { PlannedLinks } from '../planned-links.ts';
import type { Proof } from '../read-proof.ts';
import type { Measurement } from '../scenario-records.ts';
import { type ContinuousWindow, continuousWindows } from './continuous.ts';
import { type DeliveryFacts, deliveryFacts } from './delivery-facts.ts';
import { type FaultFacts, faultFacts, measureFacts } from './fault-facts.ts';
import { incidentFacts } from './incident-facts.ts';
import { missingFacts } from './missing-facts.ts';
import { type NodeFigures, nodeFigures } from './node-figures.ts';
import { SampleIndex } from './node-span.ts';
import { type ObjectiveFacts, objectiveFacts } from './objective-facts.ts';
import { type PairFacts, pairFacts } from './pair-facts.ts';
import { recordsOf, type WindowFacts, windowFacts } from './window-facts.ts';

/** What every report is rendered from: the facts of a proof and the verdict on it, with nothing left to compute. */
export interface ReportModel {
  readonly run: RunFacts;
  readonly verdict: Verdict;
  readonly objectives: readonly ObjectiveFacts[];
  readonly windows: readonly WindowFacts[];
  readonly continuous: readonly ContinuousWindow[];
  /** One row per planned window, scenario and node. */
  readonly rows: readonly NodeRow[];
  readonly nodes: readonly string[];
  readonly pairs: readonly PairFacts[];
  readonly deliveries: readonly DeliveryFacts[];
  readonly bursts: readonly BurstDelivery[];
  readonly missing: readonly string[];
  readonly incidents: readonly string[];
  readonly faults: readonly FaultFacts[];
  /** The links between the nodes as they were set; null where the run set none. */
  readonly links: PlannedLinks | null;
  readonly measures: readonly Omit<Measurement, 'type'>[];
}

interface RunFacts {
  readonly runId: string;
  readonly version: string | null;
  readonly command: readonly string[];
  readonly network: string;
  readonly anchor: string;
  readonly control: string;
  readonly expectPath: string;
  readonly seed: number;
  readonly planSha256: string;
  readonly sealedGate: string;
  readonly startedWallMs: number | null;
  readonly lastRecordWallMs: number | null;
  readonly tookMs: number | null;
  readonly records: number;
}

export interface NodeRow {
  readonly window: number;
  readonly scenario: string;
  readonly node: string;
  readonly figures: NodeFigures;
  /** Findings on this window's scenario as a whole; the same on every node's row. */
  readonly findings: readonly Finding[];
}

function runFacts(proof: Proof): RunFacts {
  const [started] = recordsOf(proof, 'run_started');
  const { plan } = proof;
  return {
    runId: plan.run_id,
    version: started?.version ?? null,
    command: started?.command ?? [],
    network: plan.network,
    anchor: plan.anchor,
    control: plan.control,
    expectPath: plan.expect_path,
    seed: plan.seed,
    planSha256: proof.planSha256,
    sealedGate: plan.gate.name,
    startedWallMs: proof.entries.at(0)?.at_wall_ms ?? null,
    lastRecordWallMs: proof.entries.at(-1)?.at_wall_ms ?? null,
    tookMs: recordsOf(proof, 'run_finished').at(-1)?.took_ms ?? null,
    records: proof.records.length,
  };
}

function nodeRows(proof: Proof, verdict: Verdict, samples: SampleIndex): readonly NodeRow[] {
  const findings = Map.groupBy(verdict.findings, ({ window, scenario }) =>
    JSON.stringify([window, scenario]),
  );
  return Array.from({ length: proof.plan.windows.count }, (_, at) => at + 1).flatMap((window) =>
    proof.plan.scenarios.flatMap(({ name: scenario }) =>
      proof.plan.roster.map(({ name: node }) => ({
        window,
        scenario,
        node,
        figures: nodeFigures(samples.span(window, scenario, node)),
        findings: findings.get(JSON.stringify([window, scenario])) ?? [],
      })),
    ),
  );
}

/** Reads a proof and its verdict once, for all reports. Pure: identical input gives an identical model. */
export function buildReportModel(proof: Proof, verdict: Verdict): ReportModel {
  const samples = new SampleIndex(proof);
  const windows = windowFacts(proof, verdict);
  return {
    run: runFacts(proof),
    verdict,
    objectives: objectiveFacts(verdict),
    windows,
    continuous: continuousWindows(proof, samples),
    rows: nodeRows(proof, verdict, samples),
    nodes: proof.plan.roster.map(({ name }) => name),
    pairs: pairFacts(proof),
    deliveries: deliveryFacts(proof),
    bursts: recordsOf(proof, 'burst_delivery'),
    missing: missingFacts(proof, samples, windows),
    incidents: incidentFacts(proof),
    faults: faultFacts(proof),
    links: proof.plan.links ?? null,
    measures: measureFacts(proof),
  };
}
