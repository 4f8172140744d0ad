import { realClock } from '../../kit/clock.ts';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import { scenarioNamed } from '../../scenarios/registry.ts';
import type { FaultController } from '../faults/fault-controller.ts';
import type { RunTelemetry } from './run-telemetry.ts';
import { type ContextModules, scenarioContext } from './scenario-context.ts';

export interface WindowModules extends ContextModules {
  readonly telemetry: RunTelemetry;
  readonly faults: FaultController;
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
    const { outcome, why } = await withFaultsHealed(modules, { window, scenario }, options, signal);
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

interface Outcome {
  readonly outcome: 'ran' | 'failed' | 'not_run';
  readonly why: string | null;
}

/**
 * Runs the scenario and ends every fault and every wait that it leaves behind, however it ends. A run that is told to end
 * heals at once, without waiting for the scenario to notice.
 */
async function withFaultsHealed(
  modules: WindowModules,
  at: { readonly window: number; readonly scenario: string },
  options: Plan['scenarios'][number]['options'],
  signal: AbortSignal,
): Promise<Outcome> {
  const session = modules.faults.openSession(at);
  const over = new AbortController();
  const within = AbortSignal.any([signal, over.signal]);
  const abort = Promise.withResolvers<Outcome>();
  const onAbort = () => abort.resolve({ outcome: 'not_run', why: messageOf(signal.reason) });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    // Only what the scenario itself throws is its failure; evidence that cannot be written ends the run.
    const ran = outcomeOf(() =>
      scenarioNamed(at.scenario).run(scenarioContext(modules, at, session, within), options),
    );
    return await Promise.race([ran, abort.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort(new Error(`${at.scenario} is over`));
    await modules.faults.closeSession(session);
  }
}

/** A fault of the harness or its control plane says nothing about the mesh: then the experiment did not take place. */
async function outcomeOf(work: () => Promise<void>): Promise<Outcome> {
  try {
    await work();
    return { outcome: 'ran', why: null };
  } catch (error) {
    const why = `${codeOf(error)}: ${messageOf(error)}`;
    return { outcome: error instanceof FaultError ? 'not_run' : 'failed', why };
  }
}
