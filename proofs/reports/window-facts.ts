import type { BurstDelivery, PairOutcome, RecordOf, RecordType, Verdict, VerdictWord } from '../evidence.ts';
import type { Proof } from '../read-proof.ts';

/** What became of one planned scenario of a window; `unfinished` when the run ended inside it. */
interface ScenarioFacts {
  readonly scenario: string;
  readonly outcome: 'ran' | 'failed' | 'not_run' | 'unfinished';
  readonly why: string | null;
}

/** One planned window, whether it ran or not. Null figures were not measured. */
export interface WindowFacts {
  readonly window: number;
  readonly verdict: VerdictWord | null;
  readonly reasons: readonly string[];
  readonly outcome: 'ran' | 'missed' | 'interrupted' | 'unfinished' | 'not_run';
  readonly why: string | null;
  readonly startedWallMs: number | null;
  readonly lateMs: number | null;
  readonly tookMs: number | null;
  readonly scenarios: readonly ScenarioFacts[];
  readonly pairs: MatrixCounts;
  readonly burst: { readonly planned: number; readonly delivered: number } | null;
  /** Findings of the window that are not GO. */
  readonly violations: number;
}

/** The pair matrix of one window. `measured` is 0 when nobody tried; the other counts mean nothing then. */
interface MatrixCounts {
  readonly planned: number;
  readonly measured: number;
  readonly sent: number;
  readonly received: number;
  readonly firstAttempt: number;
  readonly latency: LatencyFacts | null;
}

export interface LatencyFacts {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Nearest-rank percentiles of latencies; null when there are none. */
export function latencyOf(latenciesMs: readonly number[]): LatencyFacts | null {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  const [p50Ms, p99Ms, maxMs] = [rank(0.5), rank(0.99), sorted.at(-1)];
  if (p50Ms === undefined || p99Ms === undefined || maxMs === undefined) return null;
  return { p50Ms, p99Ms, maxMs };
}

/** The records of `type`, in journal order. */
export function recordsOf<T extends RecordType>(proof: Proof, type: T): readonly RecordOf<T>[] {
  return proof.records.filter((record): record is RecordOf<T> => record.type === type);
}

/** Outcomes of the pair matrix; labelled ones are a scenario's own questions. */
export function matrixOutcomes(proof: Proof): readonly PairOutcome[] {
  return recordsOf(proof, 'pair_outcome').filter(({ label }) => label === undefined);
}

/** The scenarios whose rounds are pair matrices: the planned baseline, and any other that left outcomes. */
export function matrixScenarios(proof: Proof): readonly string[] {
  const planned = proof.plan.scenarios.map(({ name }) => name).filter((name) => name === 'baseline');
  return [...new Set([...planned, ...matrixOutcomes(proof).map(({ scenario }) => scenario)])];
}

function countMatrix(proof: Proof, rounds: number, outcomes: readonly PairOutcome[]): MatrixCounts {
  return {
    planned: rounds * proof.plan.pairs.length,
    measured: outcomes.length,
    sent: outcomes.filter(({ accepted }) => accepted).length,
    received: outcomes.filter(({ received }) => received).length,
    firstAttempt: outcomes.filter(({ received, attempts }) => received && attempts === 1).length,
    latency: latencyOf(outcomes.flatMap(({ latency_ms }) => latency_ms ?? [])),
  };
}

function sumBursts(deliveries: readonly BurstDelivery[]): WindowFacts['burst'] {
  if (deliveries.length === 0) return null;
  const sum = (field: 'planned' | 'delivered') =>
    deliveries.reduce((total, delivery) => total + delivery[field], 0);
  return { planned: sum('planned'), delivered: sum('delivered') };
}

/** Every planned window in order, with what the records and the verdict say of it. */
export function windowFacts(proof: Proof, verdict: Verdict): readonly WindowFacts[] {
  const starts = new Map(recordsOf(proof, 'window_started').map((record) => [record.window, record]));
  const ends = new Map(recordsOf(proof, 'window_finished').map((record) => [record.window, record]));
  const startedAt = new Map(
    proof.entries.flatMap(({ record, at_wall_ms }) =>
      record.type === 'window_started' ? [[record.window, at_wall_ms] as const] : [],
    ),
  );
  const judged = new Map(verdict.windows.map((window) => [window.window, window]));
  const outcomes = Map.groupBy(matrixOutcomes(proof), ({ window }) => window);
  const bursts = Map.groupBy(recordsOf(proof, 'burst_delivery'), ({ window }) => window);
  const rounds = matrixScenarios(proof).length;
  return Array.from({ length: proof.plan.windows.count }, (_, at): WindowFacts => {
    const window = at + 1;
    const [start, end] = [starts.get(window), ends.get(window)];
    return {
      window,
      verdict: judged.get(window)?.verdict ?? null,
      reasons: judged.get(window)?.reasons ?? [],
      outcome: end?.outcome ?? (start ? 'unfinished' : 'not_run'),
      why: end?.why ?? null,
      startedWallMs: startedAt.get(window) ?? null,
      lateMs: start?.late_ms ?? null,
      tookMs: end?.took_ms ?? null,
      scenarios: scenarioFacts(proof, window),
      pairs: countMatrix(proof, rounds, outcomes.get(window) ?? []),
      burst: sumBursts(bursts.get(window) ?? []),
      violations: verdict.findings.filter((finding) => finding.window === window && finding.verdict !== 'GO')
        .length,
    };
  });
}

function scenarioFacts(proof: Proof, window: number): readonly ScenarioFacts[] {
  const started = new Set<string>();
  const finished = new Map<string, RecordOf<'scenario_finished'>>();
  for (const record of proof.records) {
    if (record.type === 'scenario_started' && record.window === window) started.add(record.scenario);
    if (record.type === 'scenario_finished' && record.window === window)
      finished.set(record.scenario, record);
  }
  return proof.plan.scenarios.map(({ name }) => {
    const end = finished.get(name);
    return {
      scenario: name,
      outcome: end?.outcome ?? (started.has(name) ? 'unfinished' : 'not_run'),
      why: end?.why ?? null,
    };
  });
}
