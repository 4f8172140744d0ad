import { realClock } from '../../kit/clock.ts';
import { messageOf } from '../../kit/errors.ts';
import type { EvidenceRecord, Verdict } from '../../proofs/evidence.ts';
import type { Plan } from '../../proofs/plan-schema.ts';
import type { FaultController } from '../faults/fault-controller.ts';
import type { MeshHost, OutsiderPlace, UpgradePlace } from '../fleet/mesh-host.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import type { Identity } from '../matrix/phase-a.ts';
import type { Progress } from '../progress/progress.ts';
import { ControlTallies } from './control-tally.ts';
import type { RunLedger } from './run-ledger.ts';
import { RunTelemetry } from './run-telemetry.ts';
import { runWindow } from './run-window.ts';
import type { RoundSight, StopWatch } from './stop-watch.ts';
import { nextStep, offsetOf } from './window-grid.ts';

export interface WindowsModules {
  readonly plan: Plan;
  readonly ledger: Pick<RunLedger, 'record' | 'storeDocument'>;
  readonly progress: Progress;
  readonly hosts: readonly MeshHost[];
  readonly channel: ControlChannel;
  readonly identities: ReadonlyMap<string, Identity>;
  readonly faults: FaultController;
  readonly outsiders?: OutsiderPlace | undefined;
  readonly upgrades?: UpgradePlace | undefined;
  readonly judgeWindow: (window: number) => Verdict;
  /** Puts on record what the machines show of themselves. */
  readonly lookAtHosts: (window: number) => Promise<void>;
  /** Puts on record which ways to machines are lost now; `nodes`, or all of them. */
  readonly checkWays: (nodes?: readonly string[]) => Promise<void>;
  readonly stops: StopWatch;
  /** Ends the run, for a reason that no caller could catch. */
  readonly giveUp: (reason: unknown) => void;
}

/** Where the run stands, for the telemetry between and within windows. */
interface Place {
  window: number | null;
  scenario: string | null;
}

/** Runs every window of the plan on its grid, all nodes being read on their own schedule meanwhile. */
export async function runWindows(modules: WindowsModules, signal: AbortSignal): Promise<void> {
  const { plan, ledger, progress, hosts } = modules;
  const scheduleEnd = new AbortController();
  const scheduled = AbortSignal.any([signal, scheduleEnd.signal]);
  const telemetry = new RunTelemetry(
    { everyMs: plan.telemetry.every_ms, deadlineMs: plan.telemetry.deadline_ms },
    {
      hosts,
      ledger,
      progress,
      watched: (node, sight) => {
        watchRound(modules, node, sight, scheduled).catch(modules.giveUp);
      },
    },
  );
  const tallies = new ControlTallies(modules.channel);
  const place: Place = { window: null, scenario: null };
  const schedule = telemetry.followSchedule(() => ({ ...place }), scheduled).catch(modules.giveUp);
  const grid = { count: plan.windows.count, intervalMs: plan.windows.interval_ms };
  const firstMs = realClock.nowMs();
  try {
    for (let window = 1; window <= grid.count; window += 1) {
      const step = nextStep(grid, window, realClock.nowMs() - firstMs);
      if ('missed' in step) {
        await missWindow(modules, window, step.missed);
        continue;
      }
      if ('wait' in step) {
        progress.show({ event: 'waiting', window, wait_ms: step.wait });
        await realClock.sleep(step.wait, signal);
      }
      const lateMs = Math.max(0, realClock.nowMs() - firstMs - offsetOf(grid, window));
      await conductWindow(
        modules,
        { telemetry, tallies, place, window, lateMs, offsetMs: offsetOf(grid, window) },
        signal,
      );
    }
    for (const entry of tallies.outsideWindows()) await ledger.record(entry);
  } finally {
    scheduleEnd.abort();
    await schedule;
  }
}

/** A node that is silent because the way to its machine is lost is not a lost node, so that is looked at first. */
async function watchRound(
  { faults, stops, checkWays, giveUp }: WindowsModules,
  node: string,
  sight: RoundSight,
  signal: AbortSignal,
): Promise<void> {
  const standing = faults.isHeldDown(node) ? 'held down' : 'free';
  try {
    if (sight === 'nothing' && standing === 'free') await checkWays([node]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (signal.aborted) return;
  const stop = stops.roundSeen(node, sight, standing);
  if (stop !== null) giveUp(stop);
}

async function missWindow({ ledger, progress }: WindowsModules, window: number, why: string): Promise<void> {
  await ledger.record({ type: 'window_finished', window, outcome: 'missed', why, took_ms: 0 });
  progress.show({ event: 'window_missed', window, why });
}

async function conductWindow(
  modules: WindowsModules,
  at: {
    readonly telemetry: RunTelemetry;
    readonly tallies: ControlTallies;
    readonly place: Place;
    readonly window: number;
    readonly offsetMs: number;
    readonly lateMs: number;
  },
  signal: AbortSignal,
): Promise<void> {
  const { ledger } = modules;
  const { progress } = modules;
  const { telemetry, tallies, place, window, offsetMs, lateMs } = at;
  const startedMs = realClock.nowMs();
  const tookMs = () => realClock.nowMs() - startedMs;
  const record = (entry: EvidenceRecord) => ledger.record(entry);
  const enter = (scenario: string | null) => {
    place.scenario = scenario;
  };

  const recordAll = (entries: readonly EvidenceRecord[]) => Promise.all(entries.map(record));

  await recordAll(tallies.outsideWindows());
  place.window = window;
  await record({ type: 'window_started', window, planned_offset_ms: offsetMs, late_ms: lateMs });
  progress.show({ event: 'window_started', window, late_ms: lateMs });
  try {
    await modules.lookAtHosts(window);
    await runWindow({ ...modules, telemetry, record, enter }, window, signal);
  } catch (error) {
    const why = messageOf(signal.aborted ? signal.reason : error);
    await recordAll(tallies.ofWindow(window));
    await record({ type: 'window_finished', window, outcome: 'interrupted', why, took_ms: tookMs() });
    throw error;
  }
  await modules.checkWays();
  await recordAll(tallies.ofWindow(window));
  await record({ type: 'window_finished', window, outcome: 'ran', why: null, took_ms: tookMs() });
  place.window = null;
  const judged = modules.judgeWindow(window).windows.find((candidate) => candidate.window === window);
  if (judged) {
    const { verdict, reasons } = judged;
    const windows = modules.plan.windows.count;
    progress.show({ event: 'window_judged', window, windows, verdict, reasons, took_ms: tookMs() });
    const stop = modules.stops.windowJudged(window, verdict, reasons);
    if (stop !== null) throw stop;
  }
}
