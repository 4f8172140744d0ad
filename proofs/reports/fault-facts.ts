import { biteOf } from '../bite.ts';
import type { EvidenceRecord } from '../evidence.ts';
import { faultHistories, unprovenBecause } from '../fault-history.ts';
import type { Proof } from '../read-proof.ts';
import type { Measurement } from '../scenario-records.ts';
import { recordsOf } from './window-facts.ts';

/** One fault of the run, and whether it was one. */
export interface FaultFacts {
  readonly id: string;
  readonly window: number;
  readonly scenario: string;
  readonly kind: string;
  readonly targets: readonly string[];
  readonly edges: readonly (readonly [string, string])[];
  readonly spec: Readonly<Record<string, unknown>>;
  readonly requestedWallMs: number | null;
  /** Null when it never stood. */
  readonly appliedWallMs: number | null;
  /** Of the last look at its hosts; null when nobody looked. */
  readonly lookedWallMs: number | null;
  readonly applied: 'yes' | 'no';
  readonly bites: 'yes' | 'no' | 'unknown';
  /** Why it did not, or cannot be told to have. */
  readonly bitesWhy: string | null;
  readonly lapsed: readonly string[];
  /** Why it is not proven gone; null when it is. */
  readonly standsBecause: string | null;
}

export function faultFacts({ entries }: Pick<Proof, 'entries'>): readonly FaultFacts[] {
  const writtenAt = new Map(entries.map(({ record, at_wall_ms }) => [record, at_wall_ms]));
  const timeOf = (record: EvidenceRecord | null | undefined) =>
    record ? (writtenAt.get(record) ?? null) : null;
  return faultHistories([...writtenAt.keys()]).map((fault) => {
    const { requested, applied, lapsed, gone } = fault;
    const bite = biteOf(fault);
    return {
      id: requested.fault_id,
      window: requested.window,
      scenario: requested.scenario,
      kind: requested.kind,
      targets: requested.targets,
      edges: requested.edges,
      spec: requested.spec,
      requestedWallMs: timeOf(requested),
      appliedWallMs: timeOf(applied),
      lookedWallMs: timeOf(gone.at(-1)),
      applied: applied === null ? 'no' : 'yes',
      bites: bite.bites,
      bitesWhy: 'why' in bite ? bite.why : null,
      lapsed: lapsed.map(({ node, why }) => `${node}: ${why}`),
      standsBecause: unprovenBecause(fault),
    };
  });
}

/** A fault as machines read it in the reports. */
export function faultJson(facts: FaultFacts) {
  const { bitesWhy, standsBecause, requestedWallMs, appliedWallMs, lookedWallMs, ...fault } = facts;
  return {
    ...fault,
    bites_why: bitesWhy,
    stands_because: standsBecause,
    requested_wall_ms: requestedWallMs,
    applied_wall_ms: appliedWallMs,
    looked_wall_ms: lookedWallMs,
  };
}

/** The figures that scenarios recorded, in journal order. */
export function measureFacts(proof: Proof): readonly Omit<Measurement, 'type'>[] {
  return recordsOf(proof, 'measurement').map(({ type: _, ...figure }) => figure);
}
