import type { EvidenceRecord } from '../proofs/evidence.ts';
import { healthyRestart } from '../proofs/fixture-faults.ts';
import { type Planted, restarted } from './planted-defects.ts';
import {
  figuresOf,
  type GoodScenario,
  plantedBurst,
  plantedFigure,
  runWithPartOfBurst,
} from './planted-scenarios.ts';

/**
 * Test-only: the scenarios with outsiders, a delayed reader and an upgrade, each going well on a mesh of two, and one
 * planted defect for each objective that looks at them.
 */

const [ANCHOR, TARGET] = ['ams', 'nyc'] as const;
const at = (scenario: string) => ({ window: 1, scenario }) as const;

const declared = (scenario: string, node: string): EvidenceRecord => ({
  type: 'target_declared',
  ...at(scenario),
  node,
  why: 'harmed on purpose',
});

const attacked = (scenario: string): GoodScenario => ({
  name: scenario,
  records: [
    declared(scenario, ANCHOR),
    declared(scenario, TARGET),
    ...figuresOf(scenario, [
      ['attempts', 40],
      ['noticed', 12, ANCHOR],
      ['noticed', 9, TARGET],
      ['delivered_ratio', 1],
      ['honest_suppressed', 0, ANCHOR],
      ['honest_suppressed', 0, TARGET],
      ['rss_growth_mib', 120, ANCHOR],
      ['rss_growth_mib', 130, TARGET],
      ['strangers_left', 0, ANCHOR],
      ['strangers_left', 0, TARGET],
    ]),
  ],
});

export const LATE_READER: GoodScenario = {
  name: 'delayed_reader',
  records: [
    declared('delayed_reader', TARGET),
    ...figuresOf('delayed_reader', [
      ['read_late_secs', 15, TARGET],
      ['lost', 40, TARGET],
      ['uncounted_losses', 0, TARGET],
      ['rss_growth_mib', 60, ANCHOR],
      ['rss_growth_mib', 60, TARGET],
    ]),
  ],
};

const UPGRADE: GoodScenario = {
  name: 'rolling_upgrade',
  records: [
    ...healthyRestart(at('rolling_upgrade'), 'f1', TARGET),
    ...figuresOf('rolling_upgrade', [
      ['back_secs', 2, TARGET],
      ['delivered_during_ratio', 1],
      ['not_upgraded', 0],
      ['delivered_after_ratio', 1],
    ]),
  ],
  run: restarted(TARGET, 6),
};

const BY = [
  [attacked('bad_external_peer'), 'one outsider'],
  [attacked('many_bad_peers'), 'many outsiders'],
] as const;

/** Limits that the two gates set differently. */
interface ServiceLimits {
  readonly attackRssMib: number;
  readonly readerRssMib: number;
  readonly backSecs: number;
}

export function brokenServices(limits: ServiceLimits): readonly Planted[] {
  const over = (name: string, limit: number) => [name, limit + 1, limit] as const;
  return [
    ...BY.flatMap(([scenario, by]) => [
      plantedFigure(`pairs deliver under attack by ${by}`, scenario, ['delivered_ratio', 0.9]),
      plantedFigure(`no honest peer rests under attack by ${by}`, scenario, ['honest_suppressed', 1]),
      plantedFigure(
        `memory bounded under attack by ${by}`,
        scenario,
        over('rss_growth_mib', limits.attackRssMib),
      ),
      plantedFigure(`nothing left of ${by}`, scenario, ['strangers_left', 2]),
      plantedBurst('burst delivered under attack', scenario, TARGET),
    ]),
    plantedFigure('losses of a delayed reader counted', LATE_READER, ['uncounted_losses', 3]),
    plantedFigure(
      'memory bounded beside a delayed reader',
      LATE_READER,
      over('rss_growth_mib', limits.readerRssMib),
    ),
    {
      ...plantedBurst('burst delivered beside a delayed reader', LATE_READER, ANCHOR),
      twin: runWithPartOfBurst(LATE_READER, TARGET, 160), // it is the reader's own loss
    },
    plantedFigure('pairs deliver beside an upgraded node', UPGRADE, ['delivered_during_ratio', 0.9]),
    plantedFigure('upgraded nodes come back', UPGRADE, over('back_secs', limits.backSecs)),
    plantedFigure('nodes run what they were upgraded to', UPGRADE, ['not_upgraded', 1]),
    plantedFigure('pairs deliver after an upgrade', UPGRADE, ['delivered_after_ratio', 0.5]),
    plantedBurst('burst delivered after an upgrade', UPGRADE, TARGET),
  ];
}

/** Figures that say whether there was an experiment: past their limits INCONCLUSIVE, never NO-GO. */
export const undecidedServices: readonly Planted[] = [
  ...BY.flatMap(([scenario, by]) => [
    plantedFigure(`${by} attacked`, scenario, ['attempts', 0]),
    plantedFigure(`every node noticed ${by}`, scenario, ['noticed', 0]),
  ]),
  plantedFigure('the delayed reader was late', LATE_READER, ['read_late_secs', 0.1, 0.5]),
];
