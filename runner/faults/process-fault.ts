import type { Clock } from '../../kit/clock.ts';
import { until } from '../../kit/deadline.ts';
import { FaultError } from '../../kit/errors.ts';
import type { UndoStep } from './intents.ts';
import type { HostLease, ProcessLease } from './protocol.ts';
import { firstLine, type RunCommand, succeed } from './run-command.ts';
import { type ReadProcessLetter, readUnitState, type UnitState } from './unit-state.ts';

interface Modules {
  readonly run: RunCommand;
  readonly readLetter: ReadProcessLetter;
  readonly clock: Clock;
}

/** What a fault of a process needs to know before it touches anything. */
export interface ProcessPlan {
  readonly undo: readonly UndoStep[];
  readonly startedUsec: number;
}

const STOP_BUDGET_MS = 100_000; // systemd kills after TimeoutStopSec, by default 90 s
const START_BUDGET_MS = 100_000;
const PAUSE_BUDGET_MS = 2_000;
const RELAXED_WATCHDOG_USEC = 86_400_000_000; // a day: longer than any lease is renewed
const NOTIFY_ENV = { NOTIFY_SOCKET: '/run/systemd/notify' } as const;

/** Faults of a systemd service: paused by SIGSTOP, stopped, restarted. The caller has written what undoes them. */
export class ProcessFaults {
  readonly #modules: Modules;

  constructor(modules: Modules) {
    this.#modules = modules;
  }

  async state(unit: string): Promise<UnitState> {
    return await readUnitState(unit, this.#modules);
  }

  /**
   * How to undo `lease`. Looks, touches nothing.
   * @throws FaultError `UNIT_NOT_RUNNING`: undoing would start what nobody had started
   */
  async plan({ kind, unit }: ProcessLease): Promise<ProcessPlan> {
    const { state, pid, startedUsec, watchdogUsec, dependents } = await this.state(unit);
    if (state !== 'running' || pid === null) {
      throw new FaultError('UNIT_NOT_RUNNING', `cannot ${kind} ${unit}: it is ${state}, not running`);
    }
    if (kind === 'pause') return { undo: resumeSteps(unit, pid, watchdogUsec), startedUsec };
    const states = await Promise.all(dependents.map((name) => this.state(name)));
    const running = dependents.filter((_, index) => states[index]?.state === 'running');
    return { undo: [plainStep(['systemctl', 'start', '--no-block', unit, ...running])], startedUsec };
  }

  /** Takes the fault into force and makes sure that it is. */
  async begin({ kind, unit }: ProcessLease): Promise<void> {
    if (kind === 'pause') await this.#pause(unit);
    else await this.#stop(unit);
  }

  /** Whether the fault holds the unit whose process was started at `startedUsec`. */
  async isInForce({ kind, unit }: ProcessLease, startedUsec: number | null): Promise<boolean> {
    const now = await this.state(unit);
    return now.state === (kind === 'pause' ? 'paused' : 'stopped') && !isStartedAnew(now, startedUsec);
  }

  /** Undoes a fault, in force or held by halves; but a unit that was started anew is left alone. */
  async end({ unit }: ProcessLease, undo: readonly UndoStep[], startedUsec: number | null): Promise<void> {
    const now = await this.state(unit);
    if (now.state === 'gone' || isStartedAnew(now, startedUsec)) return;
    for (const { argv, env } of undo) await succeed(this.#modules.run, argv, { env });
  }

  /** Restarts the unit; resolves with the new process as soon as it has been started, ready or not. */
  async restart(unit: string, signal?: AbortSignal): Promise<number> {
    const before = await this.state(unit);
    if (before.state === 'gone')
      throw new FaultError('UNIT_MISSING', `cannot restart ${unit}: there is no such unit`);
    await this.#forgiveStarts(unit);
    await succeed(this.#modules.run, ['systemctl', 'restart', '--no-block', unit]);
    return await until(
      `a new process of ${unit}`,
      async () => {
        const { state, pid } = await this.state(unit);
        return state === 'running' && pid !== null && pid !== before.pid ? pid : undefined;
      },
      { budgetMs: START_BUDGET_MS, clock: this.#modules.clock, ...(signal && { signal }) },
    );
  }

  async #pause(unit: string): Promise<void> {
    await this.#relaxWatchdog(unit);
    await succeed(this.#modules.run, ['systemctl', 'kill', '--signal=SIGSTOP', unit]);
    await until(
      `${unit} to be paused`,
      async () => ((await this.state(unit)).state === 'paused' ? true : undefined),
      { budgetMs: PAUSE_BUDGET_MS, clock: this.#modules.clock },
    );
  }

  /**
   * A paused process cannot feed its watchdog, and systemd would kill and restart it. Its period is set for the time
   * being as the process itself might, in its name; the undo sets it back.
   */
  async #relaxWatchdog(unit: string): Promise<void> {
    const { pid, watchdogUsec } = await this.state(unit);
    if (watchdogUsec === null || pid === null) return;
    const { argv, env } = watchdogStep(pid, RELAXED_WATCHDOG_USEC);
    const finished = await this.#modules.run(argv, { env });
    const now = await this.state(unit);
    if (finished.code === 0 && (now.watchdogUsec === null || now.watchdogUsec >= RELAXED_WATCHDOG_USEC))
      return;
    throw new FaultError(
      'WATCHDOG_STANDS',
      `cannot pause ${unit}: its watchdog would kill it after ${watchdogUsec / 1_000_000} s, and cannot be relaxed` +
        (finished.code === 0 ? '' : `: ${firstLine(finished)}`),
    );
  }

  async #stop(unit: string): Promise<void> {
    await succeed(this.#modules.run, ['systemctl', 'stop', unit], { budgetMs: STOP_BUDGET_MS });
    await this.#forgiveStarts(unit);
    const { state } = await this.state(unit);
    if (state !== 'stopped')
      throw new FaultError('UNIT_NOT_STOPPED', `${unit} is ${state} after systemctl stop`);
  }

  /** Clears systemd's count of starts, so that a storm of restarts does not meet `StartLimitBurst`. */
  async #forgiveStarts(unit: string): Promise<void> {
    await this.#modules.run(['systemctl', 'reset-failed', unit]); // refused where nothing is to be cleared
  }
}

export function isOfProcess(lease: HostLease): lease is ProcessLease {
  return lease.kind === 'pause' || lease.kind === 'stop';
}

/** What is done to a unit after that is somebody else's: our fault ended with the process that it befell. */
function isStartedAnew(now: UnitState, startedUsec: number | null): boolean {
  return now.startedUsec !== 0 && now.startedUsec !== startedUsec;
}

function resumeSteps(unit: string, pid: number, watchdogUsec: number | null): readonly UndoStep[] {
  const resume = plainStep(['systemctl', 'kill', '--signal=SIGCONT', unit]);
  return watchdogUsec === null ? [resume] : [resume, watchdogStep(pid, watchdogUsec)];
}

function watchdogStep(pid: number, usec: number): UndoStep {
  return {
    argv: ['systemd-notify', '--no-block', `--pid=${pid}`, `WATCHDOG_USEC=${usec}`, 'WATCHDOG=1'],
    env: NOTIFY_ENV,
  };
}

function plainStep(argv: UndoStep['argv']): UndoStep {
  return { argv, env: {} };
}
