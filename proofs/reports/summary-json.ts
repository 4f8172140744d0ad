import { faultJson } from './fault-facts.ts';
import type { NodeRow, ReportModel } from './report-model.ts';
import type { LatencyFacts, WindowFacts } from './window-facts.ts';

const latency = (facts: LatencyFacts | null) =>
  facts && { p50: facts.p50Ms, p99: facts.p99Ms, max: facts.maxMs };

function windowJson(facts: WindowFacts) {
  return {
    window: facts.window,
    verdict: facts.verdict,
    reasons: facts.reasons,
    outcome: facts.outcome,
    why: facts.why,
    started_wall_ms: facts.startedWallMs,
    late_ms: facts.lateMs,
    took_ms: facts.tookMs,
    scenarios: facts.scenarios,
    pairs: {
      planned: facts.pairs.planned,
      measured: facts.pairs.measured,
      sent: facts.pairs.sent,
      received: facts.pairs.received,
      first_attempt: facts.pairs.firstAttempt,
      latency_ms: latency(facts.pairs.latency),
    },
    burst: facts.burst,
    violations: facts.violations,
  };
}

function nodeJson({ window, scenario, node, figures }: NodeRow) {
  return { window, scenario, node, figures };
}

function runJson({ run }: ReportModel) {
  return {
    run_id: run.runId,
    version: run.version,
    command: run.command,
    network: run.network,
    anchor: run.anchor,
    control: run.control,
    expect_path: run.expectPath,
    seed: run.seed,
    plan_sha256: run.planSha256,
    sealed_gate: run.sealedGate,
    started_wall_ms: run.startedWallMs,
    last_record_wall_ms: run.lastRecordWallMs,
    took_ms: run.tookMs,
    records: run.records,
  };
}

/** `summary.json`, `meshproof.summary.v1`: the whole model for machines. Figures are observations, never a bare 0. */
export function renderSummaryJson(model: ReportModel): string {
  const summary = {
    format: 'meshproof.summary.v1',
    run: runJson(model),
    verdict: model.verdict,
    windows: model.windows.map(windowJson),
    pairs: model.pairs.map(({ firstAttempt, latency: facts, ...pair }) => ({
      ...pair,
      first_attempt: firstAttempt,
      latency_ms: latency(facts),
    })),
    nodes: model.rows.map(nodeJson),
    continuous: model.continuous.map(({ window, byNode, gaps, unaccounted }) => ({
      window,
      gaps,
      unaccounted_gaps: unaccounted,
      nodes: [...byNode].map(([node, growth]) => ({
        node,
        dispatcher_timed_out_delta: growth.dispatcherTimedOut,
        dispatcher_completed_delta: growth.dispatcherCompleted,
        recv_pump_dropped_full_delta: growth.droppedFull,
        per_peer_timeout_delta: growth.perPeerTimeout,
      })),
    })),
    deliveries: model.bursts.map(({ type: _, ...delivery }) => delivery),
    missing: model.missing,
    incidents: model.incidents,
    faults: model.faults.map(faultJson),
    measures: model.measures,
    links: model.links,
  };
  return `${JSON.stringify(summary, null, 2)}\n`;
}
