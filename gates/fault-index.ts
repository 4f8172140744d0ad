import type { EvidenceRecord } from '../proofs/evidence.ts';
import { type FaultHistory, faultHistories } from '../proofs/fault-history.ts';

/** The faults of a run, ordered so that metrics can ask who suffered them and when. */
export interface FaultIndex {
  readonly all: readonly FaultHistory[];
  at(window: number, scenario: string): readonly FaultHistory[];
  /** Nodes that a fault of that scenario targeted, or that it declared to be its target. */
  targets(window: number, scenario: string): ReadonlySet<string>;
  /**
   * Whether `record` was written while a fault held a process of `node` down, by the order of the journal: from its intent
   * until it was seen to be gone.
   */
  isHeldDown(node: string, record: EvidenceRecord): boolean;
  /**
   * Whether a fault kept `node` from answering then: as long as it held it down, but after a restart no longer than until
   * that was made. How long the node takes to come back from there is its own doing.
   */
  isSilenced(node: string, record: EvidenceRecord): boolean;
}

const HOLDING: readonly string[] = ['pause', 'stop', 'restart'];

/**
 * Pure, and linear in the number of records.
 * @param positionOf a record in the journal; infinity for one that is not there
 */
export function indexFaults(
  records: readonly EvidenceRecord[],
  positionOf: (record: EvidenceRecord) => number,
): FaultIndex {
  const all = faultHistories(records);
  const held = all.flatMap(({ requested, applied, gone }) => {
    if (!HOLDING.includes(requested.kind)) return [];
    // The first look that found it gone: later ones are made at the end of the run.
    const seenGone = gone.find(({ proven }) => proven);
    const until = seenGone === undefined ? Number.POSITIVE_INFINITY : positionOf(seenGone);
    const silentUntil = requested.kind === 'restart' && applied !== null ? positionOf(applied) : until;
    return [{ nodes: requested.targets, from: positionOf(requested), until, silentUntil }];
  });
  const within = (node: string, record: EvidenceRecord, end: 'until' | 'silentUntil') => {
    const position = positionOf(record);
    return held.some((one) => one.nodes.includes(node) && position > one.from && position < one[end]);
  };
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
    isHeldDown: (node, record) => within(node, record, 'until'),
    isSilenced: (node, record) => within(node, record, 'silentUntil'),
  };
}
