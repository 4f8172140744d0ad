import { realClock } from '../../kit/clock.ts';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import { Random } from '../../kit/random.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import type { Plan, PlannedPair } from '../../proofs/plan-schema.ts';
import { scenarioNamed } from '../../scenarios/registry.ts';
import type { ScenarioContext } from '../../scenarios/scenario.ts';
import { runBurst } from '../matrix/burst.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import { type Identity, runPhaseA } from '../matrix/phase-a.ts';
import type { Progress } from '../progress/progress.ts';
import type { RunTelemetry } from './run-telemetry.ts';
import { scenarioSeed } from './scenario-seed.ts';

/** Every result changes the list of delivered pairs; a wide mesh would print it thousands of times. */
const PAIRS_SHOWN_EVERY_MS = 100;

export interface WindowModules {
  readonly plan: Plan;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly channel: ControlChannel;
  readonly telemetry: RunTelemetry;
  readonly record: (record: EvidenceRecord) => Promise<void>;
  readonly progress: Progress;
  /** Told where the run stands, for the telemetry schedule. */
  readonly enter: (scenario: string | null) => void;
}

/** Runs every scenario of the plan once, each between its two rounds of telemetry. Leaves records; judges nothing. */
export async function runWindow(modules: WindowModules, window: number, signal: AbortSignal): Promise<void> {
  for (const { name, options } of modules.plan.scenarios) {
    await runScenario(modules, { window, scenario: name, options }, signal);
  }
}

async function runScenario(
  modules: WindowModules,
  {
    window,
    scenario,
    options,
  }: { window: number; scenario: string; options: Plan['scenarios'][number]['options'] },
  signal: AbortSignal,
): Promise<void> {
  const { record, progress, telemetry } = modules;
  const startedMs = realClock.nowMs();
  const finish = async (outcome: 'ran' | 'failed' | 'not_run', why: string | null) => {
    const tookMs = realClock.nowMs() - startedMs;
    await record({ type: 'scenario_finished', window, scenario, outcome, why, took_ms: tookMs });
    progress.show({ event: 'scenario_finished', window, scenario, outcome, why, took_ms: tookMs });
  };

  modules.enter(scenario);
  await record({ type: 'scenario_started', window, scenario, options });
  progress.show({ event: 'scenario_started', window, scenario });
  try {
    await telemetry.sampleAround({ window, scenario, phase: 'pre' }, signal);
    // Only what the scenario itself throws is its failure; evidence that cannot be written ends the run.
    const { outcome, why } = await outcomeOf(() =>
      scenarioNamed(scenario).run(contextOf(modules, window, scenario, signal), options),
    );
    signal.throwIfAborted();
    await telemetry.sampleAround({ window, scenario, phase: 'post' }, signal);
    await finish(outcome, why);
  } catch (error) {
    if (signal.aborted) await finish('not_run', messageOf(signal.reason));
    throw error;
  } finally {
    modules.enter(null);
  }
}

/** A fault of the harness or its control plane says nothing about the mesh: then the experiment did not take place. */
async function outcomeOf(
  work: () => Promise<void>,
): Promise<{ readonly outcome: 'ran' | 'failed' | 'not_run'; readonly why: string | null }> {
  try {
    await work();
    return { outcome: 'ran', why: null };
  } catch (error) {
    const why = `${codeOf(error)}: ${messageOf(error)}`;
    return { outcome: error instanceof FaultError ? 'not_run' : 'failed', why };
  }
}

function contextOf(
  { plan, identities, channel, record, progress }: WindowModules,
  window: number,
  scenario: string,
  signal: AbortSignal,
): ScenarioContext {
  const nodes = plan.roster.map(({ name }) => name);
  const random = new Random(scenarioSeed(plan.seed, window, scenario));
  const recordAll = async (records: readonly EvidenceRecord[]) => {
    await Promise.all(records.map(record));
  };
  return {
    window,
    fleet: { anchor: plan.anchor, nodes },
    clock: realClock,
    random,
    signal,
    record,
    matrix: {
      phaseA: async ({ settleMs }) => {
        const show = (pairs: () => readonly PlannedPair[]) =>
          progress.show({ event: 'pairs_delivered', window, pairs: pairs() });
        const delivered = atMostEvery(PAIRS_SHOWN_EVERY_MS, show);
        const phaseA = { plan, identities, channel, delivered };
        const outcomes = await runPhaseA(phaseA, { window, scenario, settleMs }, signal);
        show(() => outcomes.filter(({ failure }) => failure === null).map(({ from, to }) => [from, to]));
        await recordAll(outcomes);
      },
      burst: async (burst) => {
        const delivered = (subscriber: string, count: number, planned: number) =>
          progress.show({ event: 'burst_delivered', window, subscriber, delivered: count, planned });
        const at = { window, scenario, seed: random.int(0, 0x7fff_fffe) };
        await recordAll(await runBurst({ nodes, channel, delivered }, burst, at, signal));
      },
    },
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
