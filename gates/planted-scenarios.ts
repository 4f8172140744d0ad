import type { EvidenceRecord } from '../proofs/evidence.ts';
import type { FixtureOverrides } from '../proofs/fixture.ts';
import { added, changed, type Planted } from './planted-defects.ts';

/** Test-only: a scenario that goes well on a mesh of two, and ways to plant one defect in what it leaves on record. */

/** All that a scenario leaves on record when it goes well. */
export interface GoodScenario {
  readonly name: string;
  readonly records: readonly EvidenceRecord[];
  /** How else a run with it differs from one without. */
  readonly run?: Pick<FixtureOverrides, 'epoch'>;
}

type Run = FixtureOverrides & Required<Pick<FixtureOverrides, 'records'>>;
type Change = readonly [name: string, value: number];

/** Figures of the scenario `name` as records. Without a node they are the whole mesh's. */
export function figuresOf(
  scenario: string,
  figures: readonly (readonly [name: string, value: number, node?: string])[],
): readonly EvidenceRecord[] {
  return figures.map(([name, value, node = null]) => ({
    type: 'measurement',
    window: 1,
    scenario,
    name,
    node,
    peer: null,
    value,
    why: null,
  }));
}

/** The plan with that scenario in one window, in which the figures `name` are `value`; all well when left out. */
export function runWith({ name, records, run }: GoodScenario, change?: Change): Run {
  const own = records.map((record) =>
    record.type === 'measurement' && record.name === change?.[0] ? { ...record, value: change[1] } : record,
  );
  return { windows: 1, scenarios: ['baseline', 'fanout_burst', name], ...run, ...added(1, ...own) };
}

/** A run with that scenario, of whose bursts `subscriber` got only so many messages. */
export function runWithPartOfBurst(scenario: GoodScenario, subscriber: string, delivered: number): Run {
  const run = runWith(scenario);
  const spoil = changed(
    'burst_delivery',
    (record) => record.scenario === scenario.name && record.subscriber === subscriber,
    (record) => ({ ...record, delivered }),
  );
  return { ...run, records: (records) => spoil.records(run.records(records)) };
}

/** Breaks the objective by one figure; `twin` is its nearest value that still passes. */
export function plantedFigure(
  objective: string,
  scenario: GoodScenario,
  [name, value, twin]: readonly [...Change, twin?: number],
): Planted {
  return {
    objective,
    defect: runWith(scenario, [name, value]),
    reason: new RegExp(`${objective}: .*${String(value).replace('.', '\\.')}, limit at (most|least) `),
    twin: twin === undefined ? runWith(scenario) : runWith(scenario, [name, twin]),
  };
}

/** Breaks the objective by a burst that `subscriber` got only in part. */
export function plantedBurst(objective: string, scenario: GoodScenario, subscriber: string): Planted {
  return {
    objective,
    defect: runWithPartOfBurst(scenario, subscriber, 190),
    reason: new RegExp(`ams⇒${subscriber}: 190 of 200 delivered`),
    twin: runWith(scenario),
  };
}
