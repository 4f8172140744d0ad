import type { DeployedRole } from './deployed-host.ts';

/** A unit as systemd shows it at one moment. */
export interface UnitSight {
  readonly role: DeployedRole;
  /** `active`, `activating`, `failed`… */
  readonly activeState: string;
  /** 0 when nothing runs. */
  readonly mainPid: number;
  /** Changes whenever the unit is started. */
  readonly invocation: string;
  /** How often systemd started it again by itself since somebody last started it. */
  readonly restarts: number;
}

/** A process that ended between two looks. */
export interface UnitEnd {
  readonly role: DeployedRole;
  /** Under which the journal keeps how it ended. */
  readonly invocation: string;
  readonly manner: 'expected' | 'unexpected';
}

interface Life {
  readonly sight: UnitSight;
  /** The last invocation whose process was seen running and has not been told as ended. */
  readonly running: string | null;
}

/**
 * Which processes of one host ended, from what systemd shows at each look. Pure. A process may end and be started again
 * between two looks: its invocation tells. An end is expected when somebody said so while that very process ran.
 */
export class UnitWatch {
  readonly #lives = new Map<DeployedRole, Life>();
  readonly #expected = new Map<DeployedRole, string>();

  /** The process of `role` that runs now is about to be ended on purpose. */
  endExpected(role: DeployedRole): void {
    const running = this.#lives.get(role)?.running;
    if (running !== null && running !== undefined) this.#expected.set(role, running);
  }

  /** What ended since the last look. */
  see(sights: readonly UnitSight[]): readonly UnitEnd[] {
    return sights.flatMap((sight) => this.#seeOne(sight));
  }

  #seeOne(sight: UnitSight): readonly UnitEnd[] {
    const before = this.#lives.get(sight.role);
    const nowRunning = sight.mainPid > 0 ? sight.invocation : null;
    this.#lives.set(sight.role, { sight, running: nowRunning });
    if (before === undefined) return [];
    const ends: UnitEnd[] = [];
    if (before.running !== null && before.running !== nowRunning) {
      const isExpected = this.#expected.get(sight.role) === before.running;
      this.#expected.delete(sight.role);
      ends.push({
        role: sight.role,
        invocation: before.running,
        manner: isExpected ? 'expected' : 'unexpected',
      });
    }
    // Processes that came and went unseen. systemd counts anew when somebody starts the unit.
    const again = sight.restarts - before.sight.restarts;
    const seen = ends.some(({ manner }) => manner === 'unexpected') || before.running === null ? 1 : 0;
    for (let unseen = Math.min(again - seen, UNSEEN_MAX); unseen > 0; unseen -= 1) {
      ends.push({ role: sight.role, invocation: '', manner: 'unexpected' });
    }
    return ends;
  }
}

/** systemd gives up after ten starts in five minutes. */
const UNSEEN_MAX = 10;
