import { healthyCut, healthyPause, healthyShape } from '../proofs/fixture-faults.ts';
import type { Planted } from './planted-defects.ts';
import { figuresOf, type GoodScenario, plantedBurst, plantedFigure } from './planted-scenarios.ts';

/**
 * Test-only: the scenarios that slow, pause or half-cut a node, leave the mesh idle, or compare logs, each going well
 * on a mesh of two, and one planted defect for each objective that looks at them.
 */

const [ANCHOR, TARGET] = ['ams', 'nyc'] as const;
const at = (scenario: string) => ({ window: 1, scenario }) as const;

const SLOW: GoodScenario = {
  name: 'high_rtt_peer',
  records: [
    ...healthyShape(at('high_rtt_peer'), 'f1', TARGET, [ANCHOR]),
    ...figuresOf('high_rtt_peer', [
      ['cooled_by_ratio', 1],
      ['first_cooled_secs', 10],
      ['drained_secs', 40],
      ['undrained_observers', 0],
      ['bystander_coolings', 0, ANCHOR],
      ['bystander_coolings', 0, TARGET],
      ['delivered_beside_ratio', 1],
      ['delivered_after_ratio', 1],
    ]),
  ],
};

export const STALE: GoodScenario = {
  name: 'stale_peer',
  records: [
    ...healthyPause(at('stale_peer'), 'f1', TARGET),
    ...figuresOf('stale_peer', [
      ['marked_down_secs', 30, ANCHOR],
      ['never_marked_down', 0],
      ['delivered_beside_ratio', 1],
      ['meshed_secs', 1],
      ['delivering_secs', 2],
      ['unrecovered', 0],
    ]),
  ],
};

const HALF_CUT: GoodScenario = {
  name: 'asymmetric_reachability',
  records: [
    ...healthyCut(at('asymmetric_reachability'), 'f1', [[ANCHOR, TARGET]]),
    ...figuresOf('asymmetric_reachability', [
      ['delivered_before_ratio', 1],
      ['closed_secs', 30],
      ['redialled_secs', 31],
      ['unrepaired_links', 0],
      ['delivered_over_new_link_ratio', 1],
      ['bystander_links_lost', 0, ANCHOR],
      ['bystander_links_lost', 0, TARGET],
    ]),
  ],
};

export const IDLE: GoodScenario = {
  name: 'idle_rot',
  records: figuresOf('idle_rot', [
    ['published_in_silence', 0, ANCHOR],
    ['published_in_silence', 0, TARGET],
    ['delivered_ratio', 1],
    ['first_attempt_ratio', 1],
  ]),
};

const LOGS: GoodScenario = {
  name: 'convergence',
  records: figuresOf('convergence', [
    ['entries_written', 300],
    ['entries_refused', 0],
    ['equal_secs', 4],
    ['unequal_nodes', 0],
    ['diverged_looks', 0],
  ]),
};

/** Limits that the two gates set differently. */
interface HarmLimits {
  readonly cooledByRatio: number;
  readonly markedDownSecs: number;
  readonly meshedSecs: number;
  readonly deliveringSecs: number;
  readonly equalSecs: number;
}

export function brokenHarms(limits: HarmLimits): readonly Planted[] {
  const over = (name: string, limit: number) => [name, limit + 0.1, limit] as const;
  return [
    plantedFigure('slow peer held back from', SLOW, ['cooled_by_ratio', 0, limits.cooledByRatio]),
    plantedFigure('slow peer taken back', SLOW, ['undrained_observers', 1]),
    plantedFigure('slow peer taken back in time', SLOW, over('drained_secs', 150)),
    plantedFigure('nobody but the slow peer suppressed', SLOW, ['bystander_coolings', 1]),
    plantedFigure('others deliver beside a slow peer', SLOW, ['delivered_beside_ratio', 0.95]),
    plantedFigure('slow peer delivers again', SLOW, ['delivered_after_ratio', 0.9]),
    plantedBurst('burst delivered beside a slow peer', SLOW, TARGET),
    plantedFigure('stale peer given up', STALE, ['never_marked_down', 1]),
    plantedFigure('stale peer given up in time', STALE, over('marked_down_secs', limits.markedDownSecs)),
    plantedFigure('others deliver beside a stale peer', STALE, ['delivered_beside_ratio', 0.9]),
    plantedFigure('stale peer back', STALE, ['unrecovered', 1]),
    plantedFigure('stale peer back in the mesh in time', STALE, over('meshed_secs', limits.meshedSecs)),
    plantedFigure('stale peer delivering in time', STALE, over('delivering_secs', limits.deliveringSecs)),
    plantedBurst('bursts delivered around a stale peer', STALE, TARGET),
    plantedFigure('half-dead link found', HALF_CUT, over('closed_secs', 60)),
    plantedFigure('half-dead link replaced in time', HALF_CUT, over('redialled_secs', 60)),
    plantedFigure('half-dead link replaced', HALF_CUT, ['unrepaired_links', 1]),
    plantedFigure('the new link delivers', HALF_CUT, ['delivered_over_new_link_ratio', 0.5]),
    plantedFigure('no other link lost to a half-dead one', HALF_CUT, ['bystander_links_lost', 2]),
    plantedFigure('every pair delivers after silence', IDLE, ['delivered_ratio', 0.9]),
    plantedBurst('burst delivered after silence', IDLE, TARGET),
    plantedFigure('every log entry taken', LOGS, ['entries_refused', 1]),
    plantedFigure('logs converge', LOGS, ['unequal_nodes', 1]),
    plantedFigure('logs converge in time', LOGS, over('equal_secs', limits.equalSecs)),
    plantedFigure('equal logs stay equal', LOGS, ['diverged_looks', 1]),
  ];
}

/** Of the strict gate alone. */
export const brokenStrictHarms: readonly Planted[] = [
  plantedFigure('pairs deliver at once after silence', IDLE, ['first_attempt_ratio', 0.97, 0.98]),
];

/** Figures that say whether there was an experiment: past their limits INCONCLUSIVE, never NO-GO. */
export const undecidedHarms: readonly Planted[] = [
  plantedFigure('the half-cut pair talked before', HALF_CUT, ['delivered_before_ratio', 0.5]),
  plantedFigure('the silence was one', IDLE, ['published_in_silence', 3]),
  plantedFigure('something was written to the log', LOGS, ['entries_written', 0]),
];
