import { randomBytes } from 'node:crypto';
import { FaultError } from '../../kit/errors.ts';
import type { UndoStep } from './intents.ts';
import { ALL_UNDO_TIMERS, leaseOfUndoUnit, undoUnitOf, undoUnitsOf } from './names.ts';
import type { LeaseKey } from './protocol.ts';
import { type RunCommand, succeed } from './run-command.ts';

/** A timer that stands, and the lease that it ends. */
export interface UndoTimer {
  /** Full name, as systemd has it. */
  readonly unit: string;
  readonly lease: LeaseKey | null;
}

/**
 * The second hand that ends a fault: transient systemd timers, one per step, armed before the fault. They run plain
 * commands of the host, never this program, so that they work even when it has been removed.
 */
export class UndoTimers {
  readonly #run: RunCommand;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  /** Arms timers that take `steps` in `afterMs`, beside any that stand. Gives what tells them from older ones. */
  async arm(key: LeaseKey, steps: readonly UndoStep[], afterMs: number): Promise<string> {
    const generation = randomBytes(4).toString('hex');
    await Promise.all(
      steps.map((step, index) =>
        succeed(this.#run, armArgv(undoUnitOf(key, generation, index), step, afterMs)),
      ),
    );
    return generation;
  }

  /** Stops the timers of a lease, but not those of `generation`. */
  async disarm(key: LeaseKey, { except = null }: { readonly except?: string | null } = {}): Promise<void> {
    const prefix = undoUnitsOf(key);
    const kept = except === null ? null : `${prefix}${except}-`;
    const units = (await this.#list(`${prefix}*.timer`))
      .map(({ unit }) => unit)
      .filter((unit) => kept === null || !unit.startsWith(kept));
    await this.#stop(units);
  }

  /** Takes the steps of armed timers at once, then stops them: for leases of which nothing else is known. */
  async fire(timers: readonly UndoTimer[]): Promise<void> {
    for (const { unit } of timers) {
      const { code, stderr } = await this.#run(['systemctl', 'start', unit.replace(/\.timer$/, '.service')]);
      // It may have elapsed a moment ago; then its step was taken and it stands no more.
      if (code !== 0 && (await this.all()).some((one) => one.unit === unit)) {
        throw new FaultError('COMMAND_FAILED', `cannot take the step of ${unit}: ${stderr.trim()}`);
      }
    }
    await this.#stop(timers.map(({ unit }) => unit));
  }

  async all(): Promise<readonly UndoTimer[]> {
    return await this.#list(ALL_UNDO_TIMERS);
  }

  async of(key: LeaseKey): Promise<readonly UndoTimer[]> {
    return await this.#list(`${undoUnitsOf(key)}*.timer`);
  }

  async #list(pattern: string): Promise<readonly UndoTimer[]> {
    return timersIn(
      await succeed(this.#run, [
        'systemctl',
        'list-units',
        '--all',
        '--plain',
        '--full',
        '--no-legend',
        pattern,
      ]),
    );
  }

  async #stop(units: readonly string[]): Promise<void> {
    const [first, ...others] = units;
    if (first === undefined) return;
    const { code, stderr } = await this.#run(['systemctl', 'stop', first, ...others]);
    // One that elapsed a moment ago is gone, and that is as good.
    if (code !== 0 && !/not loaded/.test(stderr)) {
      await succeed(this.#run, ['systemctl', 'stop', first, ...others]);
    }
  }
}

/** The transient timer and service of one step. Without `AccuracySec` systemd may be a minute late. */
export function armArgv(
  unit: string,
  { argv, env }: UndoStep,
  afterMs: number,
): readonly [string, ...string[]] {
  return [
    'systemd-run',
    '--quiet',
    '--collect',
    `--unit=${unit}`,
    '--description=ends a fault of meshproof',
    `--on-active=${afterMs}ms`,
    '--timer-property=AccuracySec=100ms',
    ...Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`),
    '--',
    ...argv,
  ];
}

/** Reads `systemctl list-units --plain --no-legend`: a unit per line, its name first. */
export function timersIn(listing: string): readonly UndoTimer[] {
  return listing
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((unit) => unit.endsWith('.timer'))
    .map((unit) => ({ unit, lease: leaseOfUndoUnit(unit) }));
}
