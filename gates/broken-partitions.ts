import { healthyCut, healthyRecovery } from '../proofs/fixture-faults.ts';
import type { Planted } from './planted-defects.ts';
import { type GoodScenario, plantedBurst, plantedFigure } from './planted-scenarios.ts';

/** Test-only: a partition that goes well, and one planted defect for each objective that looks at it. */

const at = { window: 1, scenario: 'partition_recovery' } as const;
const EDGES = [
  ['ams', 'nyc'],
  ['nyc', 'ams'],
] as const;

export const PARTITION: GoodScenario = {
  name: at.scenario,
  records: [...healthyCut(at, 'f1', EDGES), ...healthyRecovery(at, ['ams', 'nyc'])],
};

export const brokenPartitions: readonly Planted[] = [
  plantedFigure('logs equal after a partition', PARTITION, ['unsynced_nodes', 1]),
  plantedFigure('every pair delivers after a partition', PARTITION, ['delivered_after_ratio', 0.5]),
  plantedFigure('caches compared after a partition', PARTITION, ['anti_entropy_rounds', 0]),
  plantedBurst('messages of a partition delivered', PARTITION, 'nyc'),
];

/** Links and logs that are whole just after their limit, and just within it. */
export function slowHealing(limitSecs: number): readonly Planted[] {
  const over = (name: string) => [name, limitSecs + 0.1, limitSecs] as const;
  return [
    plantedFigure('links back after a partition', PARTITION, over('links_back_secs')),
    plantedFigure('logs equal in time after a partition', PARTITION, over('resync_secs')),
  ];
}

/** Figures that say whether there was a partition: past their limits INCONCLUSIVE, never NO-GO. */
export const undecidedPartitions: readonly Planted[] = [
  plantedFigure('the partition was one', PARTITION, ['delivered_across_cut', 1]),
  plantedFigure('the sides talked before the cut', PARTITION, ['delivered_before_ratio', 0.5]),
];
