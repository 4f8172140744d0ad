import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { healthyCut, healthyPause, healthyShape } from '../proofs/fixture-faults.ts';
import { added, changed, type Planted } from './planted-defects.ts';

/**
 * Test-only: the scenarios that slow, pause or half-cut a node, leave the mesh idle, or compare logs, each going well
 * on a mesh of two, and one planted defect for each objective that looks at them.
 */

const [ANCHOR, TARGET] = ['ams', 'nyc'] as const;
const at = (scenario: string) => ({ window: 1, scenario }) as const;

/** Per scenario: its fault, and its figures as name, value and whose. */
const HEALTHY = {
  high_rtt_peer: {
    faults: healthyShape(at('high_rtt_peer'), 'f1', TARGET, [ANCHOR]),
    figures: [
      ['cooled_by_ratio', 1, null],
      ['first_cooled_secs', 10, null],
      ['drained_secs', 40, null],
      ['undrained_observers', 0, null],
      ['bystander_coolings', 0, ANCHOR],
      ['bystander_coolings', 0, TARGET],
      ['delivered_beside_ratio', 1, null],
      ['delivered_after_ratio', 1, null],
    ],
  },
  stale_peer: {
    faults: healthyPause(at('stale_peer'), 'f1', TARGET),
    figures: [
      ['marked_down_secs', 30, ANCHOR],
      ['never_marked_down', 0, null],
      ['delivered_beside_ratio', 1, null],
      ['meshed_secs', 1, null],
      ['delivering_secs', 2, null],
      ['unrecovered', 0, null],
    ],
  },
  asymmetric_reachability: {
    faults: healthyCut(at('asymmetric_reachability'), 'f1', [[ANCHOR, TARGET]]),
    figures: [
      ['delivered_before_ratio', 1, null],
      ['closed_secs', 30, null],
      ['redialled_secs', 31, null],
      ['unrepaired_links', 0, null],
      ['delivered_over_new_link_ratio', 1, null],
      ['bystander_links_lost', 0, ANCHOR],
      ['bystander_links_lost', 0, TARGET],
    ],
  },
  idle_rot: {
    faults: [],
    figures: [
      ['published_in_silence', 0, ANCHOR],
      ['published_in_silence', 0, TARGET],
      ['delivered_ratio', 1, null],
      ['first_attempt_ratio', 1, null],
    ],
  },
  convergence: {
    faults: [],
    figures: [
      ['entries_written', 300, null],
      ['entries_refused', 0, null],
      ['equal_secs', 4, null],
      ['unequal_nodes', 0, null],
      ['diverged_looks', 0, null],
    ],
  },
} as const satisfies Readonly<
  Record<
    string,
    {
      readonly faults: readonly EvidenceRecord[];
      readonly figures: readonly (readonly [string, number, string | null])[];
    }
  >
>;

type Harmful = keyof typeof HEALTHY;

/** The plan with that scenario in one window, in which the figures `name` are `value`; all well when left out. */
export function harm(scenario: Harmful, change?: readonly [name: string, value: number]): FixtureOverrides {
  const { faults, figures } = HEALTHY[scenario];
  const records = figures.map(
    ([name, value, node]): EvidenceRecord => ({
      type: 'measurement',
      ...at(scenario),
      name,
      node,
      peer: null,
      value: change?.[0] === name ? change[1] : value,
      why: null,
    }),
  );
  return {
    windows: 1,
    scenarios: ['baseline', 'fanout_burst', scenario],
    ...added(1, ...faults, ...records),
  };
}

/** A burst of the scenario that reached one subscriber only in part. */
function harmBurst(scenario: Harmful, delivered: number): FixtureOverrides {
  const { records: addHarm, ...run } = harm(scenario) as Required<Pick<FixtureOverrides, 'records'>>;
  const spoil = changed(
    'burst_delivery',
    (record) => record.scenario === scenario && record.subscriber === TARGET,
    (record) => ({ ...record, delivered }),
  );
  return { ...run, records: (records) => spoil.records(addHarm(records)) };
}

function planted(
  objective: string,
  scenario: Harmful,
  [name, value, twin]: readonly [name: string, value: number, twin?: number],
): Planted {
  return {
    objective,
    defect: harm(scenario, [name, value]),
    reason: new RegExp(`${objective}: .*${String(value).replace('.', '\\.')}, limit at (most|least) `),
    twin: twin === undefined ? harm(scenario) : harm(scenario, [name, twin]),
  };
}

function plantedBurst(objective: string, scenario: Harmful): Planted {
  return {
    objective,
    defect: harmBurst(scenario, 190),
    reason: /ams⇒nyc: 190 of 200 delivered/,
    twin: harm(scenario),
  };
}

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
    planted('slow peer held back from', 'high_rtt_peer', ['cooled_by_ratio', 0, limits.cooledByRatio]),
    planted('slow peer taken back', 'high_rtt_peer', ['undrained_observers', 1]),
    planted('slow peer taken back in time', 'high_rtt_peer', over('drained_secs', 150)),
    planted('nobody but the slow peer suppressed', 'high_rtt_peer', ['bystander_coolings', 1]),
    planted('others deliver beside a slow peer', 'high_rtt_peer', ['delivered_beside_ratio', 0.95]),
    planted('slow peer delivers again', 'high_rtt_peer', ['delivered_after_ratio', 0.9]),
    plantedBurst('burst delivered beside a slow peer', 'high_rtt_peer'),
    planted('stale peer given up', 'stale_peer', ['never_marked_down', 1]),
    planted('stale peer given up in time', 'stale_peer', over('marked_down_secs', limits.markedDownSecs)),
    planted('others deliver beside a stale peer', 'stale_peer', ['delivered_beside_ratio', 0.9]),
    planted('stale peer back', 'stale_peer', ['unrecovered', 1]),
    planted('stale peer back in the mesh in time', 'stale_peer', over('meshed_secs', limits.meshedSecs)),
    planted('stale peer delivering in time', 'stale_peer', over('delivering_secs', limits.deliveringSecs)),
    plantedBurst('bursts delivered around a stale peer', 'stale_peer'),
    planted('half-dead link found', 'asymmetric_reachability', over('closed_secs', 60)),
    planted('half-dead link replaced in time', 'asymmetric_reachability', over('redialled_secs', 60)),
    planted('half-dead link replaced', 'asymmetric_reachability', ['unrepaired_links', 1]),
    planted('the new link delivers', 'asymmetric_reachability', ['delivered_over_new_link_ratio', 0.5]),
    planted('no other link lost to a half-dead one', 'asymmetric_reachability', ['bystander_links_lost', 2]),
    planted('every pair delivers after silence', 'idle_rot', ['delivered_ratio', 0.9]),
    plantedBurst('burst delivered after silence', 'idle_rot'),
    planted('every log entry taken', 'convergence', ['entries_refused', 1]),
    planted('logs converge', 'convergence', ['unequal_nodes', 1]),
    planted('logs converge in time', 'convergence', over('equal_secs', limits.equalSecs)),
    planted('equal logs stay equal', 'convergence', ['diverged_looks', 1]),
  ];
}

/** Of the strict gate alone. */
export const brokenStrictHarms: readonly Planted[] = [
  planted('pairs deliver at once after silence', 'idle_rot', ['first_attempt_ratio', 0.97, 0.98]),
];

/** Figures that say whether there was an experiment: past their limits INCONCLUSIVE, never NO-GO. */
export const undecidedHarms: readonly Planted[] = [
  planted('the half-cut pair talked before', 'asymmetric_reachability', ['delivered_before_ratio', 0.5]),
  planted('the silence was one', 'idle_rot', ['published_in_silence', 3]),
  planted('something was written to the log', 'convergence', ['entries_written', 0]),
];
