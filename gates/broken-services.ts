import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { healthyRestart } from '../proofs/fixture-faults.ts';
import { added, changed, type Planted, restarted } from './planted-defects.ts';

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

const ATTACK = [
  ['attempts', 40, null],
  ['noticed', 12, ANCHOR],
  ['noticed', 9, TARGET],
  ['delivered_ratio', 1, null],
  ['honest_suppressed', 0, ANCHOR],
  ['honest_suppressed', 0, TARGET],
  ['rss_growth_mib', 120, ANCHOR],
  ['rss_growth_mib', 130, TARGET],
  ['strangers_left', 0, ANCHOR],
  ['strangers_left', 0, TARGET],
] as const;

/** Per scenario: what is told beside its figures, and its figures as name, value and whose. */
const HEALTHY = {
  bad_external_peer: {
    told: [ANCHOR, TARGET].map((node) => declared('bad_external_peer', node)),
    figures: ATTACK,
  },
  many_bad_peers: { told: [ANCHOR, TARGET].map((node) => declared('many_bad_peers', node)), figures: ATTACK },
  delayed_reader: {
    told: [declared('delayed_reader', TARGET)],
    figures: [
      ['read_late_secs', 15, TARGET],
      ['lost', 40, TARGET],
      ['uncounted_losses', 0, TARGET],
      ['rss_growth_mib', 60, ANCHOR],
      ['rss_growth_mib', 60, TARGET],
    ],
  },
  rolling_upgrade: {
    told: healthyRestart(at('rolling_upgrade'), 'f1', TARGET),
    figures: [
      ['back_secs', 2, TARGET],
      ['delivered_during_ratio', 1, null],
      ['not_upgraded', 0, null],
      ['delivered_after_ratio', 1, null],
    ],
  },
} as const satisfies Readonly<
  Record<
    string,
    {
      readonly told: readonly EvidenceRecord[];
      readonly figures: readonly (readonly [string, number, string | null])[];
    }
  >
>;

type Service = keyof typeof HEALTHY;

/** The plan with that scenario in one window, in which the figures `name` are `value`; all well when left out. */
export function service(
  scenario: Service,
  change?: readonly [name: string, value: number],
): FixtureOverrides {
  const { told, figures } = HEALTHY[scenario];
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
    ...(scenario === 'rolling_upgrade' && restarted(TARGET, 6)),
    ...added(1, ...told, ...records),
  };
}

/** A burst of the scenario that reached `subscriber` only in part. */
function partOfBurst(scenario: Service, subscriber: string, delivered: number): FixtureOverrides {
  const { records: addService, ...run } = service(scenario) as Required<Pick<FixtureOverrides, 'records'>>;
  const spoil = changed(
    'burst_delivery',
    (record) => record.scenario === scenario && record.subscriber === subscriber,
    (record) => ({ ...record, delivered }),
  );
  return { ...run, records: (records) => spoil.records(addService(records)) };
}

function planted(
  objective: string,
  scenario: Service,
  [name, value, twin]: readonly [name: string, value: number, twin?: number],
): Planted {
  return {
    objective,
    defect: service(scenario, [name, value]),
    reason: new RegExp(`${objective}: .*${String(value).replace('.', '\\.')}, limit at (most|least) `),
    twin: twin === undefined ? service(scenario) : service(scenario, [name, twin]),
  };
}

const BY = [
  ['bad_external_peer', 'one outsider'],
  ['many_bad_peers', 'many outsiders'],
] as const;

/** Limits that the two gates set differently. */
interface ServiceLimits {
  readonly attackRssMib: number;
  readonly readerRssMib: number;
  readonly backSecs: number;
}

export function brokenServices(limits: ServiceLimits): readonly Planted[] {
  const over = (name: string, limit: number) => [name, limit + 1, limit] as const;
  const partly = (objective: string, scenario: Service, subscriber: string): Planted => ({
    objective,
    defect: partOfBurst(scenario, subscriber, 190),
    reason: new RegExp(`ams⇒${subscriber}: 190 of 200 delivered`),
    twin: service(scenario),
  });
  return [
    ...BY.flatMap(([scenario, by]) => [
      planted(`pairs deliver under attack by ${by}`, scenario, ['delivered_ratio', 0.9]),
      planted(`no honest peer rests under attack by ${by}`, scenario, ['honest_suppressed', 1]),
      planted(`memory bounded under attack by ${by}`, scenario, over('rss_growth_mib', limits.attackRssMib)),
      planted(`nothing left of ${by}`, scenario, ['strangers_left', 2]),
      partly('burst delivered under attack', scenario, TARGET),
    ]),
    planted('losses of a delayed reader counted', 'delayed_reader', ['uncounted_losses', 3]),
    planted(
      'memory bounded beside a delayed reader',
      'delayed_reader',
      over('rss_growth_mib', limits.readerRssMib),
    ),
    {
      ...partly('burst delivered beside a delayed reader', 'delayed_reader', ANCHOR),
      twin: partOfBurst('delayed_reader', TARGET, 160), // it is the reader's own loss
    },
    planted('pairs deliver beside an upgraded node', 'rolling_upgrade', ['delivered_during_ratio', 0.9]),
    planted('upgraded nodes come back', 'rolling_upgrade', over('back_secs', limits.backSecs)),
    planted('nodes run what they were upgraded to', 'rolling_upgrade', ['not_upgraded', 1]),
    planted('pairs deliver after an upgrade', 'rolling_upgrade', ['delivered_after_ratio', 0.5]),
    partly('burst delivered after an upgrade', 'rolling_upgrade', TARGET),
  ];
}

/** Figures that say whether there was an experiment: past their limits INCONCLUSIVE, never NO-GO. */
export const undecidedServices: readonly Planted[] = [
  ...BY.flatMap(([scenario, by]) => [
    planted(`${by} attacked`, scenario, ['attempts', 0]),
    planted(`every node noticed ${by}`, scenario, ['noticed', 0]),
  ]),
  planted('the delayed reader was late', 'delayed_reader', ['read_late_secs', 0.1, 0.5]),
];
