import { sha256Hex } from '../kit/hash.ts';
import {
  DOCUMENT_NAMES,
  type DocumentName,
  type EvidenceRecord,
  type JournalEntry,
  type StoredDocument,
  type Verdict,
} from './evidence.ts';
import { type FixturePlace, healthyDocument } from './fixture-documents.ts';
import { FIXTURE_GRID, type FixtureMakers, fixtureRun } from './fixture-run.ts';
import { encodeLine, genesisOf } from './journal-line.ts';
import { type Observation, seen } from './observation.ts';
import { allDirectedPairs, type Plan } from './plan-schema.ts';
import type { PlannedLinks } from './planned-links.ts';
import type { Proof } from './read-proof.ts';
import { HARMLESS } from './safety-schema.ts';

/** Scenarios of the fixture that do harm. */
const DESTRUCTIVE: Readonly<Record<string, string>> = {
  restart_storm: 'restart',
  rolling_upgrade: 'restart',
  partition_recovery: 'partition',
  high_rtt_peer: 'netem',
  stale_peer: 'pause',
  asymmetric_reachability: 'partition',
};

const START_WALL_MS = Date.UTC(2026, 10, 21, 12);

/** What a test may change of the healthy proof; everything else follows from it. */
export interface FixtureOverrides {
  readonly nodes?: readonly string[];
  readonly windows?: number;
  readonly scenarios?: readonly string[];
  readonly gateText?: string;
  /** Distance of the readings of one node; 1 s by default. */
  readonly stepMs?: number;
  /** Changes a document as the node answers it. */
  readonly body?: (body: Record<string, unknown>, name: DocumentName, place: FixturePlace) => unknown;
  /** Process lifetimes: gives the epoch of a reading. By default one lifetime for the whole run. */
  readonly epoch?: (place: { readonly node: string; readonly step: number; readonly atMs: number }) => {
    boot_id: string;
    uptime_secs: number;
  };
  /** Changes the finished sequence of records. */
  readonly records?: (records: readonly EvidenceRecord[]) => readonly EvidenceRecord[];
}

/**
 * A healthy proof of two nodes and two windows with baseline and fanout_burst, made in memory for tests: every pair
 * received at its first attempt, every burst delivered, one process lifetime per node, all documents seen.
 */
export function fixtureProof(overrides: FixtureOverrides = {}): Proof {
  const plan = fixturePlan(overrides);
  const planSha256 = sha256Hex(planText(plan));
  const documents = new Map<string, Observation<unknown>>();
  const healthy = fixtureRecords(plan, planSha256, overrides, documents);
  const records = overrides.records?.(healthy) ?? healthy;
  const entries: JournalEntry[] = [];
  let windowAtMs = 0;
  for (const record of records) {
    if (record.type === 'window_started') windowAtMs = record.planned_offset_ms;
    const seq = entries.length + 1;
    const prev = entries.at(-1)?.hash ?? genesisOf(plan.run_id);
    entries.push(encodeLine({ seq, at_wall_ms: START_WALL_MS + windowAtMs + seq * 10, prev, record }).entry);
  }
  return {
    dir: '/proofs/fixture',
    plan,
    planSha256,
    gateText: gateTextOf(overrides),
    entries,
    records,
    torn: null,
    documents,
  };
}

/** The bytes of `plan.json`. */
export function planText(plan: Plan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/** Links of a plan that are all alike: 20 ms one way, a little loss. */
export function fixtureLinks(edges: Plan['pairs']): PlannedLinks {
  const figures = {
    latency_ms: 20,
    jitter_ms: 2,
    loss_ratio: 0.005,
    rate_kbit: null,
    queue_bytes: 262_144,
    reorder_ratio: 0,
    reorder_by_ms: 5,
  };
  return { format: 'meshproof.planned-links.v1', name: 'alike', groups: [{ figures, edges }] };
}

function gateTextOf(overrides: FixtureOverrides): string {
  return overrides.gateText ?? 'name = "fixture"\n';
}

function fixturePlan(overrides: FixtureOverrides): Plan {
  const names = overrides.nodes ?? ['ams', 'nyc'];
  return {
    format: 'meshproof.plan.v1',
    run_id: '20261121T120000Z-fixture',
    created_wall_ms: START_WALL_MS,
    seed: 7,
    network: 'local',
    roster: names.map((name) => ({ name, region: null })),
    anchor: names[0] ?? '',
    control: 'loopback',
    pairs: allDirectedPairs(names),
    expect_path: 'raw_quic_acked',
    scenarios: (overrides.scenarios ?? ['baseline', 'fanout_burst']).map((name) => ({
      name,
      options: {},
      destructive: DESTRUCTIVE[name] ?? null,
    })),
    windows: { count: overrides.windows ?? 2, interval_ms: FIXTURE_GRID.intervalMs },
    telemetry: { every_ms: FIXTURE_GRID.roundMs, deadline_ms: 4_000 },
    safety: HARMLESS,
    gate: { name: 'fixture', sha256: sha256Hex(gateTextOf(overrides)) },
    bundle_sha256: sha256Hex('bundle'),
  };
}

function fixtureRecords(
  plan: Plan,
  planSha256: string,
  overrides: FixtureOverrides,
  documents: Map<string, Observation<unknown>>,
): readonly EvidenceRecord[] {
  const names = plan.roster.map(({ name }) => name);
  const steps = new Map<string, number>();
  const epochAt = (place: { readonly node: string; readonly step: number; readonly atMs: number }) =>
    overrides.epoch?.(place) ?? { boot_id: `boot-${place.node}`, uptime_secs: 60 + place.atMs / 1_000 };
  const sample: FixtureMakers['sample'] = (window, scenario, phase, node) => {
    const step = (steps.get(node) ?? 0) + 1;
    steps.set(node, step);
    const atMs = (window - 1) * FIXTURE_GRID.intervalMs + step * (overrides.stepMs ?? 1_000);
    const epoch = epochAt({ node, step, atMs });
    const peers = names.filter((name) => name !== node);
    const place: FixturePlace = {
      node,
      peers,
      window,
      scenario,
      phase,
      step,
      bootId: epoch.boot_id,
      uptimeSecs: epoch.uptime_secs,
    };
    const stored = DOCUMENT_NAMES.map((name): [DocumentName, Observation<StoredDocument>] => {
      const healthy = healthyDocument(name, place);
      const body = overrides.body?.(healthy, name, place) ?? healthy;
      const rawText = JSON.stringify(body);
      const file = `windows/${String(window).padStart(3, '0')}/diagnostics/${scenario}/${node}-${phase}-${name}.json`;
      documents.set(file, seen(body));
      return [name, seen({ file, sha256: sha256Hex(rawText), bytes: Buffer.byteLength(rawText), epoch })];
    });
    return {
      type: 'sample',
      window,
      scenario,
      phase,
      node,
      at_wall_ms: START_WALL_MS + atMs,
      at_mono_ms: atMs,
      took_ms: 12,
      epoch,
      documents: Object.fromEntries(stored),
      gauges: {},
    };
  };
  const round: FixtureMakers['round'] = (atMs, node) => ({
    type: 'sample',
    window: null,
    scenario: null,
    phase: 'schedule',
    node,
    at_wall_ms: START_WALL_MS + atMs,
    at_mono_ms: atMs,
    took_ms: 12,
    epoch: epochAt({ node, step: steps.get(node) ?? 0, atMs }),
    documents: {},
    gauges: {},
  });
  return [...fixtureRun(plan, planSha256, { sample, round })];
}

/** A verdict of GO for the proof, with one finding per window, scenario and node, as a judge would give it. */
export function fixtureVerdict(proof: Proof): Verdict {
  const windows = Array.from({ length: proof.plan.windows.count }, (_, at) => at + 1);
  return {
    gate: proof.plan.gate.name,
    gate_sha256: proof.plan.gate.sha256,
    overall: 'GO',
    windows: windows.map((window) => ({ window, verdict: 'GO', reasons: [] })),
    reasons: [],
    findings: windows.flatMap((window) =>
      proof.plan.scenarios.flatMap(({ name: scenario }) =>
        proof.plan.roster.map(({ name: subject }) => ({
          objective: 'no receive drops',
          scope: 'node' as const,
          subject,
          window,
          scenario,
          verdict: 'GO' as const,
          value: seen(0),
          limit: { max: 0 },
          margin: 0,
          reason: `${subject}: dropped_full grew by 0`,
        })),
      ),
    ),
  };
}
