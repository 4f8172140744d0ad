import { sha256Hex } from '../kit/hash.ts';
import type { EvidenceRecord } from './evidence.ts';
import { fixtureId } from './fixture-documents.ts';
import type { Plan } from './plan-schema.ts';

/** Distance of windows, and of the rounds of telemetry; few rounds keep the journal short. */
export const FIXTURE_GRID = { intervalMs: 60_000, roundMs: 30_000 } as const;
const BETWEEN_MS = 45_000; // into a window's interval, when its scenarios are over
const MESSAGES = 200;

/** Makes the two kinds of samples; the run tells when. */
export interface FixtureMakers {
  readonly sample: (window: number, scenario: string, phase: 'pre' | 'post', node: string) => EvidenceRecord;
  /** A scheduled round on one node, between windows. */
  readonly round: (atMs: number, node: string) => EvidenceRecord;
}

/** Every record of a healthy run, in journal order. */
export function* fixtureRun(plan: Plan, planSha256: string, make: FixtureMakers): Generator<EvidenceRecord> {
  const { sample, round } = make;
  const names = plan.roster.map(({ name }) => name);
  yield {
    type: 'run_started',
    run_id: plan.run_id,
    version: '0.1.0',
    command: ['soak', '--local', String(names.length)],
    environment: { platform: 'linux', cpus: 2 },
  };
  yield { type: 'plan_sealed', plan, plan_sha256: planSha256 };
  for (const node of names) {
    yield {
      type: 'node_identified',
      node,
      agent_id: fixtureId(`agent-${node}`),
      machine_id: fixtureId(node),
      udp_address: '127.0.0.1:40000',
      boot_id: `boot-${node}`,
      version: '0.1.0',
    };
  }
  yield { type: 'mesh_ready', after_ms: 812.5, live_links: plan.pairs.length };
  for (const node of names) yield round(0, node);
  for (let window = 1; window <= plan.windows.count; window += 1) {
    yield {
      type: 'window_started',
      window,
      planned_offset_ms: (window - 1) * FIXTURE_GRID.intervalMs,
      late_ms: 0,
    };
    for (const { name: scenario, options } of plan.scenarios) {
      yield { type: 'scenario_started', window, scenario, options };
      for (const node of names) yield sample(window, scenario, 'pre', node);
      yield* scenario === 'baseline' ? pairOutcomes(plan, window) : burstDeliveries(plan, window, scenario);
      for (const node of names) yield sample(window, scenario, 'post', node);
      yield { type: 'scenario_finished', window, scenario, outcome: 'ran', why: null, took_ms: 2_500 };
    }
    for (const node of names) yield tally(window, node);
    yield { type: 'window_finished', window, outcome: 'ran', why: null, took_ms: 5_100 };
    const roundsBefore = window === plan.windows.count ? [BETWEEN_MS] : [BETWEEN_MS, FIXTURE_GRID.intervalMs];
    for (const offsetMs of roundsBefore) {
      for (const node of names) yield round((window - 1) * FIXTURE_GRID.intervalMs + offsetMs, node);
    }
  }
  yield { type: 'evidence_closed' };
  yield { type: 'run_finished', exit_code: 0, took_ms: plan.windows.count * FIXTURE_GRID.intervalMs };
}

function tally(window: number, node: string): EvidenceRecord {
  return {
    type: 'control_tally',
    window,
    node,
    results: 3,
    forged: 0,
    lost: 0,
    doubled: 0,
    malformed: 0,
    reconnects: 0,
    restarts: 0,
  };
}

function* pairOutcomes(plan: Plan, window: number): Generator<EvidenceRecord> {
  for (const [index, [from, to]] of plan.pairs.entries()) {
    const payload = sha256Hex(`${window}-${from}-${to}`);
    yield {
      type: 'pair_outcome',
      window,
      scenario: 'baseline',
      from,
      to,
      request_id: `w${window}-${from}-${to}`,
      sent: true,
      accepted: true,
      acked: true,
      received: true,
      duplicates: 0,
      attempts: 1,
      path: plan.expect_path,
      latency_ms: 1.5 + index,
      payload_sha256: payload,
      received_sha256: payload,
      sender_verified: true,
      failure: null,
    };
  }
}

function* burstDeliveries(plan: Plan, window: number, scenario: string): Generator<EvidenceRecord> {
  for (const { name } of plan.roster) {
    yield {
      type: 'burst_delivery',
      window,
      scenario,
      publisher: plan.anchor,
      subscriber: name,
      topic: `meshproof.fanout.w${window}`,
      planned: MESSAGES,
      published: MESSAGES,
      delivered: MESSAGES,
      duplicates: 0,
      corrupted: 0,
      latency_ms: { p50: 1.2, p99: 6.5, max: 9.25 },
      missing_seqs: [],
    };
  }
}
