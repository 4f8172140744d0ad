import type { EvidenceRecord, RecordOf } from './evidence.ts';

/** All that the evidence says of one fault, in the order in which it was written. */
export interface FaultHistory {
  readonly requested: RecordOf<'fault_requested'>;
  readonly applied: RecordOf<'fault_applied'> | null;
  readonly measured: readonly RecordOf<'fault_measured'>[];
  readonly lapsed: readonly RecordOf<'fault_lapsed'>[];
  readonly reverted: RecordOf<'fault_reverted'> | null;
  /** Every look at its hosts after it; the last decides. */
  readonly gone: readonly RecordOf<'fault_gone'>[];
}

type FaultRecord = RecordOf<
  'fault_requested' | 'fault_applied' | 'fault_measured' | 'fault_lapsed' | 'fault_reverted' | 'fault_gone'
>;

const isOfFault = (record: EvidenceRecord): record is FaultRecord => record.type.startsWith('fault_');

/** The faults of a run, by id, in the order in which they were asked for. */
export function faultHistories(records: readonly EvidenceRecord[]): readonly FaultHistory[] {
  const byId = Map.groupBy(records.filter(isOfFault), ({ fault_id: id }) => id);
  return [...byId.values()].flatMap((own) => {
    const of = <T extends FaultRecord['type']>(type: T) =>
      own.filter((record): record is Extract<FaultRecord, { type: T }> => record.type === type);
    const [requested] = of('fault_requested');
    if (requested === undefined) return []; // a fault that nobody asked for is no fault of this run
    return [
      {
        requested,
        applied: of('fault_applied')[0] ?? null,
        measured: of('fault_measured'),
        lapsed: of('fault_lapsed'),
        reverted: of('fault_reverted')[0] ?? null,
        gone: of('fault_gone'),
      },
    ];
  });
}

/** Why a fault is not proven gone; null when the last look at its hosts found nothing of it. */
export function unprovenBecause({ gone }: Pick<FaultHistory, 'gone'>): string | null {
  const last = gone.at(-1);
  if (last === undefined) return 'nobody looked whether it is gone';
  return last.proven ? null : (last.why ?? 'it could not be proven gone');
}

/** Faults that may still stand, each with why: such a run is dirty. */
export function dirtOf(
  records: readonly EvidenceRecord[],
): readonly { readonly id: string; readonly why: string }[] {
  return faultHistories(records).flatMap((fault) => {
    const why = unprovenBecause(fault);
    const { fault_id: id, kind, targets } = fault.requested;
    return why === null ? [] : [{ id, why: `fault ${id} (${kind} of ${targets.join(', ')}): ${why}` }];
  });
}
