import { realClock } from '../../kit/clock.ts';
import { FaultError } from '../../kit/errors.ts';
import { Random } from '../../kit/random.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import type { Plan, PlannedPair } from '../../proofs/plan-schema.ts';
import { SCENARIO_MEASURES } from '../../proofs/scenario-measures.ts';
import type { Faults } from '../../scenarios/faults.ts';
import type { Outsiders } from '../../scenarios/outsiders.ts';
import type { MatrixAccess, ScenarioContext } from '../../scenarios/scenario.ts';
import type { Upgrades } from '../../scenarios/upgrades.ts';
import type { MeshHost, OutsiderPlace, UpgradePlace } from '../fleet/mesh-host.ts';
import { runBurst } from '../matrix/burst.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import { type Identity, runPhaseA, sendPairs } from '../matrix/phase-a.ts';
import type { Progress } from '../progress/progress.ts';
import { MeshView } from '../telemetry/mesh-view.ts';
import { scenarioSeed } from './scenario-seed.ts';

/** Every result changes the list of delivered pairs; a wide mesh would print it thousands of times. */
const PAIRS_SHOWN_EVERY_MS = 100;

export interface ContextModules {
  readonly plan: Plan;
  readonly hosts: readonly MeshHost[];
  readonly identities: ReadonlyMap<string, Identity>;
  readonly channel: ControlChannel;
  readonly record: (record: EvidenceRecord) => Promise<void>;
  readonly progress: Progress;
  /** Where hostile programs may run; left out where there is no such place. */
  readonly outsiders?: OutsiderPlace | undefined;
  /** How nodes get another bundle; left out where they cannot. */
  readonly upgrades?: UpgradePlace | undefined;
}

interface Place {
  readonly window: number;
  readonly scenario: string;
}

/** What `scenario` sees of the world in `window`. Every wait of it ends with `signal`. */
export function scenarioContext(
  modules: ContextModules,
  { window, scenario }: Place,
  faults: Faults,
  signal: AbortSignal,
): ScenarioContext {
  const { plan, record } = modules;
  const random = new Random(scenarioSeed(plan.seed, window, scenario));
  return {
    window,
    fleet: { anchor: plan.anchor, nodes: plan.roster.map(({ name }) => name) },
    clock: realClock,
    random,
    signal,
    record,
    faults,
    outsiders: outsidersAt(modules.outsiders, signal),
    upgrades: modules.upgrades ?? NO_UPGRADES,
    mesh: new MeshView({ window, scenario }, { ...modules, signal }),
    matrix: matrixAccess(modules, { window, scenario }, random, signal),
    async measure({ name, value, node = null, peer = null, why = null }) {
      if (SCENARIO_MEASURES[scenario]?.[name] === undefined) {
        throw new Error(`${scenario} records ${name}, which proofs/scenario-measures.ts does not declare`);
      }
      await record({ type: 'measurement', window, scenario, name, node, peer, value, why });
    },
  };
}

function matrixAccess(
  { plan, identities, channel, record, progress }: ContextModules,
  at: Place,
  random: Random,
  signal: AbortSignal,
): MatrixAccess {
  const { window } = at;
  const nodes = plan.roster.map(({ name }) => name);
  const recordAll = async <T extends EvidenceRecord>(records: readonly T[]): Promise<readonly T[]> => {
    await Promise.all(records.map(record));
    return records;
  };
  return {
    async phaseA({ settleMs }) {
      const show = (pairs: () => readonly PlannedPair[]) =>
        progress.show({ event: 'pairs_delivered', window, pairs: pairs() });
      const delivered = atMostEvery(PAIRS_SHOWN_EVERY_MS, show);
      const outcomes = await runPhaseA({ plan, identities, channel, delivered }, { ...at, settleMs }, signal);
      show(() => outcomes.filter(({ failure }) => failure === null).map(({ from, to }) => [from, to]));
      return await recordAll(outcomes);
    },
    async send(pairs, { settleMs, label }) {
      const wanted = pairs.map(([from, to]): PlannedPair => [from, to]);
      const phaseA = { plan, identities, channel, delivered: () => {} };
      return await recordAll(await sendPairs(phaseA, wanted, { ...at, settleMs, label }, signal));
    },
    async burst(plan) {
      const delivered = (subscriber: string, count: number, planned: number) =>
        progress.show({ event: 'burst_delivered', window, subscriber, delivered: count, planned });
      const seed = random.int(0, 0x7fff_fffe);
      const records = await recordAll(
        await runBurst({ nodes, channel, delivered }, plan, { ...at, seed }, signal),
      );
      return records.filter((entry) => entry.type === 'burst_delivery');
    },
  };
}

const NO_UPGRADES: Upgrades = {
  stage: () =>
    Promise.reject(
      new FaultError('UPGRADE_UNAVAILABLE', 'this fleet has no second bundle to restart its nodes onto'),
    ),
};

function outsidersAt(place: OutsiderPlace | undefined, signal: AbortSignal): Outsiders {
  const why = 'this fleet offers no place to run programs from outside the roster';
  return {
    join: (request) =>
      place?.join(request, signal) ?? Promise.reject(new FaultError('OUTSIDERS_UNAVAILABLE', why)),
  };
}

/** Calls `act` with the newest value, at most once every `ms`; what comes between is not told. */
function atMostEvery<T>(ms: number, act: (value: T) => void): (value: T) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (value) => {
    const nowMs = realClock.nowMs();
    if (nowMs - lastMs < ms) return;
    lastMs = nowMs;
    act(value);
  };
}
