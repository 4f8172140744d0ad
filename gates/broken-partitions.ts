import type { EvidenceRecord, RecordOf } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { healthyCut, healthyRecovery } from '../proofs/fixture-faults.ts';
import { added, changed, type Planted } from './planted-defects.ts';

/** Test-only: a partition that goes well, and one planted defect for each objective that looks at it. */

const PARTITION = { window: 1, scenario: 'partition_recovery' } as const;
const EDGES = [
  ['ams', 'nyc'],
  ['nyc', 'ams'],
] as const;

/** The plan with a partition in one window that goes well, but for one change of its figures. */
export function partition(
  change: (record: RecordOf<'measurement'>) => EvidenceRecord = (record) => record,
): FixtureOverrides {
  const figures = healthyRecovery(PARTITION, ['ams', 'nyc']).map((record) =>
    record.type === 'measurement' ? change(record) : record,
  );
  return {
    windows: 1,
    scenarios: ['baseline', 'fanout_burst', 'partition_recovery'],
    ...added(1, ...healthyCut(PARTITION, 'f1', EDGES), ...figures),
  };
}

/** A partition in which the figure `name` is `value` instead. */
export function figure(name: string, value: number): FixtureOverrides {
  return partition((record) => (record.name === name ? { ...record, value } : record));
}

/** A partition whose burst reached one node only in part. */
function partitionBurst(delivered: number): FixtureOverrides {
  const { records: addFault, ...run } = partition() as Required<Pick<FixtureOverrides, 'records'>>;
  const spoil = changed(
    'burst_delivery',
    ({ scenario, subscriber }) => scenario === 'partition_recovery' && subscriber === 'nyc',
    (record) => ({ ...record, delivered }),
  );
  return { ...run, records: (records) => spoil.records(addFault(records)) };
}

export const brokenPartitions: readonly Planted[] = [
  {
    objective: 'logs equal after a partition',
    defect: figure('unsynced_nodes', 1),
    reason: /1, limit at most 0/,
    twin: partition(),
  },
  {
    objective: 'every pair delivers after a partition',
    defect: figure('delivered_after_ratio', 0.5),
    reason: /0\.5, limit at least 1/,
    twin: partition(),
  },
  {
    objective: 'caches compared after a partition',
    defect: figure('anti_entropy_rounds', 0),
    reason: /nyc: 0, limit at least 1|ams→nyc: .*0, limit at least 1/,
    twin: partition(),
  },
  {
    objective: 'messages of a partition delivered',
    defect: partitionBurst(190),
    reason: /ams⇒nyc: 190 of 200 delivered/,
    twin: partition(),
  },
];

/** Links and logs that are whole just after their limit, and just within it. */
export function slowHealing(limitSecs: number): readonly Planted[] {
  return [
    {
      objective: 'links back after a partition',
      defect: figure('links_back_secs', limitSecs + 0.1),
      reason: new RegExp(`${limitSecs}\\.1, limit at most ${limitSecs}`),
      twin: figure('links_back_secs', limitSecs),
    },
    {
      objective: 'logs equal in time after a partition',
      defect: figure('resync_secs', limitSecs + 0.1),
      reason: new RegExp(`${limitSecs}\\.1, limit at most ${limitSecs}`),
      twin: figure('resync_secs', limitSecs),
    },
  ];
}
