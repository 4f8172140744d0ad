import { describe, expect, it } from 'vitest';
import { FAULT_OPERATIONS } from '../../runner/faults/protocol.ts';
import { leasesOf } from './fault-leases.ts';

const idsOf = (names: readonly string[], faultId = 'f1') =>
  leasesOf({ kind: 'cut', edges: names.map((to) => ['src', to] as const) }, faultId, 15_000).map(
    ({ id }) => id,
  );

describe('the id of a lease', () => {
  it('names its fault and its host where that fits', () => {
    expect(idsOf(['ams', 'nyc'])).toEqual(['f1.ams', 'f1.nyc']);
  });

  it('is one that every host takes, and one per host and fault, however long the names are', () => {
    const long = Array.from({ length: 63 }, (_, at) => 'h'.padEnd(at + 1, 'x'));
    const alike = ['1', '2', '3'].map((end) => 'host-'.padEnd(62, 'x') + end);
    const ids = ['f1', 'f999999'].flatMap((faultId) => idsOf([...long, ...alike], faultId));
    expect(() => FAULT_OPERATIONS.revert.request.parse({ run_id: 'run', lease_ids: ids })).not.toThrow();
    expect(new Set(ids).size).toBe(2 * (long.length + alike.length));
    expect(idsOf(alike)).toEqual(idsOf(alike));
  });
});
