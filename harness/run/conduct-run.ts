import { realClock } from '../../kit/clock.ts';
import { createSigning } from '../../kit/create-signing.ts';
import type { Verdict } from '../../proofs/evidence.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import type { Fleet } from '../fleet/mesh-host.ts';
import { waitForMesh } from '../fleet/mesh-ready.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import { discoverRunners, identifyNodes } from '../matrix/identify.ts';
import { openControlChannel } from '../matrix/open-control-channel.ts';
import { createOperatorKey } from '../matrix/operator-key.ts';
import type { Identity } from '../matrix/phase-a.ts';
import type { Progress } from '../progress/progress.ts';
import type { RunLedger } from './run-ledger.ts';
import { RunTelemetry } from './run-telemetry.ts';
import { runWindow } from './run-window.ts';
import { nextStep, offsetOf } from './window-grid.ts';

/** All nodes and runners together; a mesh that has not formed by then will not. */
const MESH_BUDGET_MS = 60_000;

export interface ConductModules {
  readonly plan: Plan;
  readonly ledger: RunLedger;
  readonly progress: Progress;
  readonly startFleet: (plan: Plan, operatorKeys: readonly string[], signal: AbortSignal) => Promise<Fleet>;
  readonly judgeWindow: (window: number) => Verdict;
}

/**
 * Brings the mesh up, runs every window of the plan, and takes the mesh down again on every way out. Throws what
 * ended it early.
 */
export async function conductRun(
  modules: ConductModules,
  options: { readonly discoverMs: number },
  outer: AbortSignal,
): Promise<void> {
  const { plan, ledger, progress } = modules;
  const abort = new AbortController();
  const signal = AbortSignal.any([outer, abort.signal]);
  const signing = await createSigning();
  await using undo = new AsyncDisposableStack();
  undo.defer(() => signing.close());

  const operator = await createOperatorKey(signing);
  const fleet = await modules.startFleet(plan, [operator.publicKeyBase64], signal);
  undo.defer(() => fleet.stop());
  fleet.onProcessEnd((end, expected) => {
    const { node, role, code, signal: endedBy } = end;
    const exit = { node, role, code, signal: endedBy, expected: expected === 'expected' };
    progress.show({ event: 'process_exited', ...exit });
    ledger
      .record({ type: 'process_exited', ...exit, last_words: [...end.lastWords] })
      .catch((error) => abort.abort(error));
  });

  const mesh = await waitForMesh(fleet.hosts, { budgetMs: MESH_BUDGET_MS, signal });
  await ledger.record({ type: 'mesh_ready', after_ms: mesh.afterMs, live_links: mesh.liveLinks });
  progress.show({ event: 'mesh_ready', after_ms: mesh.afterMs, live_links: mesh.liveLinks });
  const identified = await identifyNodes(fleet.hosts, signal);
  for (const record of identified) await ledger.record(record);
  const identities = new Map<string, Identity>(
    identified.map(({ node, agent_id, machine_id }) => [node, { agentId: agent_id, machineId: machine_id }]),
  );

  const channel = await openControlChannel(plan.control, { fleet, identities, operator });
  undo.defer(() => channel.close());
  const discoverStartMs = realClock.nowMs();
  await discoverRunners(channel, identities, { budgetMs: options.discoverMs, signal });
  progress.show({
    event: 'runners_ready',
    after_ms: realClock.nowMs() - discoverStartMs,
    runners: identities.size,
  });

  await runWindows(modules, { fleet, channel, identities, abort }, signal);
}

async function runWindows(
  { plan, ledger, progress, judgeWindow }: ConductModules,
  running: {
    readonly fleet: Fleet;
    readonly channel: ControlChannel;
    readonly identities: ReadonlyMap<string, Identity>;
    readonly abort: AbortController;
  },
  signal: AbortSignal,
): Promise<void> {
  const telemetry = new RunTelemetry(
    { everyMs: plan.telemetry.every_ms, deadlineMs: plan.telemetry.deadline_ms },
    { hosts: running.fleet.hosts, ledger, progress },
  );
  const place: { window: number | null; scenario: string | null } = { window: null, scenario: null };
  const scheduleEnd = new AbortController();
  const schedule = telemetry
    .followSchedule(() => ({ ...place }), AbortSignal.any([signal, scheduleEnd.signal]))
    .catch((error: unknown) => running.abort.abort(error));

  const grid = { count: plan.windows.count, intervalMs: plan.windows.interval_ms };
  const record = (entry: Parameters<RunLedger['record']>[0]) => ledger.record(entry);
  const enter = (scenario: string | null) => {
    place.scenario = scenario;
  };
  const firstMs = realClock.nowMs();
  try {
    for (let window = 1; window <= grid.count; window += 1) {
      let step = nextStep(grid, window, realClock.nowMs() - firstMs);
      if ('wait' in step) {
        progress.show({ event: 'waiting', window, wait_ms: step.wait });
        await realClock.sleep(step.wait, signal);
        step = { start: { lateMs: Math.max(0, realClock.nowMs() - firstMs - offsetOf(grid, window)) } };
      }
      if ('missed' in step) {
        await record({ type: 'window_finished', window, outcome: 'missed', why: step.missed, took_ms: 0 });
        continue;
      }
      const startedMs = realClock.nowMs();
      const { lateMs } = step.start;
      place.window = window;
      await record({
        type: 'window_started',
        window,
        planned_offset_ms: offsetOf(grid, window),
        late_ms: lateMs,
      });
      progress.show({ event: 'window_started', window, late_ms: lateMs });
      const finish = (outcome: 'ran' | 'interrupted', why: string | null) =>
        record({ type: 'window_finished', window, outcome, why, took_ms: realClock.nowMs() - startedMs });
      try {
        await runWindow({ plan, telemetry, record, progress, enter, ...running }, window, signal);
      } catch (error) {
        await finish('interrupted', String(error));
        throw error;
      }
      await finish('ran', null);
      place.window = null;
      const judged = judgeWindow(window).windows.find((candidate) => candidate.window === window);
      if (judged) {
        const { verdict, reasons } = judged;
        progress.show({
          event: 'window_judged',
          window,
          verdict,
          reasons,
          took_ms: realClock.nowMs() - startedMs,
        });
      }
    }
  } finally {
    scheduleEnd.abort();
    await schedule;
  }
}
