import type { EvidenceRecord, SampleRecord } from '../proofs/evidence.ts';
import { type FaultHistory, faultHistories } from '../proofs/fault-history.ts';

/** The faults of a run, ordered so that metrics can ask who suffered them and when. */
export interface FaultIndex {
  readonly all: readonly FaultHistory[];
  at(window: number, scenario: string): readonly FaultHistory[];
  /** Nodes that a fault of that scenario targeted, or that it declared to be its target. */
  targets(window: number, scenario: string): ReadonlySet<string>;
  /**
   * Whether `record` was written while a fault held a process of `node` down: from its intent until it was seen to be
   * gone, by the order of the journal.
   */
  isHeldDown(node: string, record: EvidenceRecord | SampleRecord): boolean;
}

const HOLDING: readonly string[] = ['pause', 'stop', 'restart'];

/** Pure, and linear in the number of records. */
export function indexFaults(records: readonly EvidenceRecord[]): FaultIndex {
  const all = faultHistories(records);
  const positions = new Map(records.map((record, position) => [record, position]));
  const held = all
    .filter(({ requested }) => HOLDING.includes(requested.kind))
    .map(({ requested, gone }) => ({
      nodes: requested.targets,
      from: positions.get(requested) ?? 0,
      // The first look that found it gone: later ones are made at the end of the run.
      to: positions.get(gone.find(({ proven }) => proven) ?? requested) ?? Number.POSITIVE_INFINITY,
      isOver: gone.some(({ proven }) => proven),
    }));
  const at = (window: number, scenario: string) =>
    all.filter(({ requested }) => requested.window === window && requested.scenario === scenario);
  const declared = records.filter((record) => record.type === 'target_declared');
  return {
    all,
    at,
    targets: (window, scenario) =>
      new Set([
        ...at(window, scenario).flatMap(({ requested }) => requested.targets),
        ...declared
          .filter((one) => one.window === window && one.scenario === scenario)
          .map(({ node }) => node),
      ]),
    isHeldDown(node, record) {
      const position = positions.get(record);
      if (position === undefined) return false;
      return held.some(
        ({ nodes, from, to, isOver }) =>
          nodes.includes(node) && position > from && (!isOver || position < to),
      );
    },
  };
}
