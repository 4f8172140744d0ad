import pLimit from 'p-limit';
import type { Clock } from '../../kit/clock.ts';
import { Deadline, withinBudget } from '../../kit/deadline.ts';
import { codeOf, FaultError, messageOf } from '../../kit/errors.ts';
import { biteOf } from '../../proofs/bite.ts';
import type { EvidenceRecord, RecordOf } from '../../proofs/evidence.ts';
import type { FaultMeasured, FaultRequested } from '../../proofs/fault-records.ts';
import type { HeldFault } from '../../scenarios/faults.ts';
import type { Progress } from '../progress/progress.ts';
import type { FaultDriver } from './fault-driver.ts';
import { hostsOf } from './fault-leases.ts';
import { type MeasuredFault, type MeasureModules, measureFault } from './fault-measures.ts';
import { LeaseKeeper } from './lease-keeper.ts';

const CONCURRENT_HOSTS = 16;
/** For all hosts to take their leases; one that takes longer than a lease lives is lost anyway. */
const APPLY_BUDGET_MS = 12_000;
const REVERT_BUDGET_MS = 20_000;
const LOOK_BUDGET_MS = 10_000;
/** Until a fault is felt, and until it is not felt any more. */
const BITE_BUDGET_MS = 10_000;
const HEAL_BUDGET_MS = 10_000;
const MEASURE_AGAIN_MS = 250;

export interface ActiveModules extends MeasureModules {
  readonly driver: FaultDriver;
  readonly record: (record: EvidenceRecord) => Promise<void>;
  readonly progress: Progress;
  readonly clock: Clock;
  /** Of the run. */
  readonly signal: AbortSignal;
}

/**
 * One fault from its first lease to the proof that it is gone. Reverting has deadlines of its own and heeds no signal:
 * it must happen although the run was told to end.
 */
export class ActiveFault implements HeldFault {
  readonly id: string;
  readonly fault: MeasuredFault;
  readonly #requested: FaultRequested;
  readonly #modules: ActiveModules;
  readonly #ended: (fault: ActiveFault) => void;
  readonly #writes: Promise<void>[] = []; // at most one per host
  #keeper: LeaseKeeper | null = null;
  #shown: FaultState | null = null;
  #reverting: Promise<{ readonly endedAtMs: number }> | null = null;

  /** @param ended told when it does not stand any more, proven or not */
  constructor(
    fault: MeasuredFault,
    requested: FaultRequested,
    modules: ActiveModules,
    ended: (fault: ActiveFault) => void,
  ) {
    this.id = fault.id;
    this.fault = fault;
    this.#requested = requested;
    this.#modules = modules;
    this.#ended = ended;
  }

  /**
   * Measures, applies every lease, renews them from then on, and measures until it bites or its time for that is over.
   * When a host does not take its lease, or the run ends, all of it is reverted first.
   * @throws FaultError `FAULT_NOT_APPLIED`; why the run ends
   */
  async apply(): Promise<void> {
    const { driver, record, clock, signal } = this.#modules;
    const { id, leases } = this.fault;
    try {
      const before = await this.#measure('before', signal);
      await this.#recordAll(before);
      const startedMs = clock.nowMs();
      await withinBudget(
        `fault ${id} to be applied`,
        APPLY_BUDGET_MS,
        (within) => this.#onHosts(leases, (lease) => driver.apply(lease, within)),
        signal,
      );
      this.#keeper = new LeaseKeeper(leases, {
        driver,
        clock,
        sinceMs: startedMs,
        lapsed: (node, why) => this.#writes.push(this.#lapsed(node, why)),
      });
      await record({ type: 'fault_applied', fault_id: id, took_ms: clock.nowMs() - startedMs });
      this.#show('applied', null);
      const during = await this.#measureUntilBite(before, signal);
      await this.#recordAll(during);
      const bite = biteOf({ requested: this.#requested, measured: [...before, ...during] });
      this.#show(bite.bites === 'yes' ? 'bites' : 'does_not_bite', 'why' in bite ? bite.why : null);
    } catch (error) {
      await this.revert();
      signal.throwIfAborted();
      throw new FaultError('FAULT_NOT_APPLIED', `fault ${id} could not be applied: ${messageOf(error)}`, {
        details: { fault_id: id, code: codeOf(error) },
        cause: error,
      });
    }
  }

  /** Ends it and looks whether it is gone; resolves when that is on record. Throws only when evidence cannot be written. */
  revert(): Promise<{ readonly endedAtMs: number }> {
    this.#reverting ??= this.#revert();
    return this.#reverting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.revert();
  }

  async #revert(): Promise<{ readonly endedAtMs: number }> {
    const { driver, record, clock } = this.#modules;
    const { id, leases } = this.fault;
    const problems: unknown[] = [];
    /** Whatever cannot be measured or written must not keep the fault standing. */
    const attempt = (work: () => Promise<void>) =>
      work().catch((error: unknown) => void problems.push(error));
    // Once more while it stands: a rule that nothing met at first may have met traffic since.
    if (this.#keeper !== null) await attempt(() => this.#measureUnlessEnding('during'));
    await this.#keeper?.stop();
    const startedMs = clock.nowMs();
    const failure = await this.#onHosts(leases, (lease) =>
      withinBudget(`${lease.id} to be reverted`, REVERT_BUDGET_MS, (within) =>
        driver.revert(lease.spec.at, [lease.id], within),
      ),
    ).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    const endedAtMs = clock.nowMs();
    if (failure === null && leases.length > 0) {
      this.#show('reverted', null);
      await attempt(() => record({ type: 'fault_reverted', fault_id: id, took_ms: endedAtMs - startedMs }));
    }
    await attempt(() => this.#measureUnlessEnding('after'));
    await attempt(async () => void (await this.lookAgain()));
    await attempt(async () => void (await Promise.all(this.#writes)));
    this.#ended(this);
    if (problems.length > 0) throw problems[0];
    return { endedAtMs };
  }

  /** A run that ends early heals first: it does not wait for figures. */
  async #measureUnlessEnding(phase: 'during' | 'after'): Promise<void> {
    const { signal } = this.#modules;
    if (signal.aborted) return;
    try {
      await this.#recordAll(
        phase === 'during' ? await this.#measure(phase, signal) : await this.#measureUntilHealed(signal),
      );
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Looks at every host of it, independently of what was done, and puts on record whether anything stands. */
  async lookAgain(): Promise<RecordOf<'fault_gone'>> {
    const { driver, record } = this.#modules;
    const { id, request, leases } = this.fault;
    const own = new Set(leases.map((lease) => lease.id));
    const found = await Promise.all(
      hostsOf(request).map(async (host) => {
        try {
          const standing = await withinBudget(`a look at ${host}`, LOOK_BUDGET_MS, (within) =>
            driver.standing(host, within),
          );
          const left = standing.filter(({ leaseId }) => leaseId !== null && own.has(leaseId));
          return left.map(({ what }) => `${host}: ${what} stands`);
        } catch (error) {
          return [`${host} could not be looked at: ${codeOf(error)}: ${messageOf(error)}`];
        }
      }),
    );
    const why = found.flat().join('; ');
    const gone: RecordOf<'fault_gone'> = {
      type: 'fault_gone',
      fault_id: id,
      proven: why === '',
      why: why === '' ? null : why,
    };
    await record(gone);
    const state = gone.proven ? 'gone' : 'not_gone';
    if (state !== this.#shown) this.#show(state, gone.why); // the last look is news only when it finds something else
    return gone;
  }

  async #lapsed(node: string, why: string): Promise<void> {
    this.#show('lapsed', `${node}: ${why}`);
    await this.#modules.record({ type: 'fault_lapsed', fault_id: this.id, node, why });
  }

  #measure(phase: FaultMeasured['phase'], signal: AbortSignal): Promise<readonly FaultMeasured[]> {
    return measureFault(this.#modules, this.fault, phase, signal);
  }

  async #measureUntilBite(
    before: readonly FaultMeasured[],
    signal: AbortSignal,
  ): Promise<readonly FaultMeasured[]> {
    const deadline = Deadline.in(BITE_BUDGET_MS, this.#modules.clock);
    for (;;) {
      const during = await this.#measure('during', signal);
      const { bites } = biteOf({ requested: this.#requested, measured: [...before, ...during] });
      if (bites === 'yes' || deadline.hasPassed()) return during;
      await this.#modules.clock.sleep(MEASURE_AGAIN_MS, signal);
    }
  }

  /** The last of several looks: the first that finds everything as it should be, or the one when time was over. */
  async #measureUntilHealed(signal: AbortSignal): Promise<readonly FaultMeasured[]> {
    const deadline = Deadline.in(HEAL_BUDGET_MS, this.#modules.clock);
    for (;;) {
      const after = await this.#measure('after', signal);
      const isWell = after.every(
        ({ probes, process }) =>
          (probes === null || probes.answered > 0) &&
          (process === null || (process.state === 'running' && process.boot_id !== null)),
      );
      if (isWell || deadline.hasPassed()) return after;
      await this.#modules.clock.sleep(MEASURE_AGAIN_MS, signal);
    }
  }

  async #recordAll(records: readonly EvidenceRecord[]): Promise<void> {
    await Promise.all(records.map((record) => this.#modules.record(record)));
  }

  #show(state: FaultState, why: string | null): void {
    this.#shown = state;
    const { kind, targets } = this.#requested;
    this.#modules.progress.show({ event: 'fault_state', fault_id: this.id, kind, targets, state, why });
  }

  /** All at once within a limit; throws the first failure when none is under way any more. */
  async #onHosts<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
    const limit = pLimit(CONCURRENT_HOSTS);
    const settled = await Promise.allSettled(items.map((item) => limit(() => act(item))));
    const failure = settled.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }
}

type FaultState = 'applied' | 'bites' | 'does_not_bite' | 'lapsed' | 'reverted' | 'gone' | 'not_gone';
