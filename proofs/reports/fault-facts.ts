import { biteOf } from '../bite.ts';
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
  readonly applied: 'yes' | 'no';
  readonly bites: 'yes' | 'no' | 'unknown';
  /** Why it did not, or cannot be told to have. */
  readonly bitesWhy: string | null;
  readonly lapsed: readonly string[];
  /** Why it is not proven gone; null when it is. */
  readonly standsBecause: string | null;
}

export function faultFacts(proof: Pick<Proof, 'records'>): readonly FaultFacts[] {
  return faultHistories(proof.records).map((fault) => {
    const { requested, applied, lapsed } = fault;
    const bite = biteOf(fault);
    return {
      id: requested.fault_id,
      window: requested.window,
      scenario: requested.scenario,
      kind: requested.kind,
      targets: requested.targets,
      edges: requested.edges,
      spec: requested.spec,
      applied: applied === null ? 'no' : 'yes',
      bites: bite.bites,
      bitesWhy: 'why' in bite ? bite.why : null,
      lapsed: lapsed.map(({ node, why }) => `${node}: ${why}`),
      standsBecause: unprovenBecause(fault),
    };
  });
}

/** The figures that scenarios recorded, in journal order. */
export function measureFacts(proof: Proof): readonly Omit<Measurement, 'type'>[] {
  return recordsOf(proof, 'measurement').map(({ type: _, ...figure }) => figure);
}
