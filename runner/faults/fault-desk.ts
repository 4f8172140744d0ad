import type { Clock } from '../../kit/clock.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import { holdingLock } from './host-lock.ts';
import type { Intent, Intents, UndoStep } from './intents.ts';
import { isSameLease } from './names.ts';
import type { NetworkFaults } from './network-fault.ts';
import { canonicalAddress } from './nft-script.ts';
import { isOfProcess, type ProcessFaults } from './process-fault.ts';
import type { FaultRequest, FaultResult, HostLease, LeaseKey, Standing } from './protocol.ts';
import { lookAtStanding } from './standing-look.ts';
import type { UndoTimers } from './undo-timers.ts';

/** The kernel ends a lease of the network at its TTL; the timer that takes its empty objects away comes after. */
const KERNEL_FIRST_MS = 1_000;

interface Modules {
  readonly intents: Intents;
  readonly network: NetworkFaults;
  readonly processes: ProcessFaults;
  /** Null where systemd does not run: then there are no faults of processes. */
  readonly timers: UndoTimers | null;
  readonly clock: Clock;
  /** Where the SSH session comes from that asks us; null when nothing tells. */
  readonly controlAddress: string | null;
}

interface TableOfLease {
  readonly lease: LeaseKey;
  readonly inForce: boolean;
}

/**
 * Leases on this host. The order is always the same: write the intent, arm what undoes the fault, begin it; and end
 * the fault before the timers and the intent go. Killed at any point, what is left ends by itself, and any later
 * invocation finds it. One invocation at a time changes anything; looking needs no turn.
 */
export class FaultDesk {
  readonly #modules: Modules;

  constructor(modules: Modules) {
    this.#modules = modules;
  }

  async apply(lease: HostLease): Promise<FaultResult<'apply'>> {
    const startMs = this.#modules.clock.nowMs();
    await this.#alone(async () => {
      await this.#sweepExpired();
      const noted = await this.#modules.intents.read(lease);
      // A unit that is held already cannot be planned for again; applied twice, the lease is renewed.
      const isHeld = noted !== null && isOfProcess(noted.lease) && isOfProcess(lease);
      if (!isHeld || !(await this.#renewOne(noted, lease.ttl_ms))) await this.#begin(lease);
    });
    return { took_ms: Math.round(this.#modules.clock.nowMs() - startMs) };
  }

  async renew({ run_id, lease_ids, ttl_ms }: FaultRequest<'renew'>): Promise<FaultResult<'renew'>> {
    return await this.#alone(async () => {
      const renewed: string[] = [];
      const lost: string[] = [];
      for (const lease_id of lease_ids) {
        const intent = await this.#modules.intents.read({ run_id, lease_id });
        const stands = intent !== null && (await this.#renewOne(intent, ttl_ms));
        (stands ? renewed : lost).push(lease_id);
      }
      return { renewed, lost };
    });
  }

  /** Every lease is tried, also when one fails; then the first failure is thrown. */
  async revert({ run_id, lease_ids }: FaultRequest<'revert'>): Promise<FaultResult<'revert'>> {
    const startMs = this.#modules.clock.nowMs();
    await this.#alone(() => this.#endAll(lease_ids.map((lease_id) => ({ run_id, lease_id }))));
    return { took_ms: Math.round(this.#modules.clock.nowMs() - startMs) };
  }

  async standing(): Promise<readonly Standing[]> {
    return await lookAtStanding(this.#modules);
  }

  /**
   * Removes all that `standing` shows, of whatever run, and nothing else.
   * @throws FaultError `NOT_CLEAN` when something of it still stands
   */
  async heal(): Promise<FaultResult<'doctor'>> {
    return await this.#alone(async () => {
      const { network, timers, intents } = this.#modules;
      const found = await this.standing();
      const notes = await intents.all();
      const failure = await this.#endAll([
        ...found.flatMap(leaseOf),
        ...notes.intents.map(({ lease }) => lease),
      ])
        .then(() => null)
        .catch(messageOf);
      for (const table of await network.tables()) await network.removeTable(table);
      await network.removeIdleQdiscs();
      await timers?.fire(await timers.all());
      for (const { file } of notes.unreadable) await intents.removeFile(file);
      const remaining = await this.standing();
      if (remaining.length > 0 || failure !== null) {
        const what = [...remaining.map((one) => one.what), ...(failure === null ? [] : [failure])].join('; ');
        throw new FaultError('NOT_CLEAN', `this host is not clean after healing: ${what}`);
      }
      return { found: [...found], remaining: [] };
    });
  }

  async counters({ run_id, lease_ids }: FaultRequest<'counters'>): Promise<FaultResult<'counters'>> {
    const tables = await this.#modules.network.tables();
    const matched = lease_ids.map((lease_id) => {
      const table = tables.find(({ lease }) => lease && isSameLease(lease, { run_id, lease_id }));
      return [lease_id, table?.matchedPackets ?? null] as const;
    });
    return { matched: Object.fromEntries(matched) };
  }

  async #begin(lease: HostLease): Promise<void> {
    const { intents, timers, network, processes, clock } = this.#modules;
    if (isOfProcess(lease) && timers === null) {
      throw new FaultError(
        'NO_SYSTEMD',
        `cannot ${lease.kind} ${lease.unit}: systemd does not run on this host`,
      );
    }
    this.#keepControl(lease);
    const { undo, startedUsec } = isOfProcess(lease)
      ? await processes.plan(lease)
      : { undo: await network.plan(lease), startedUsec: null };
    await intents.write({
      version: 1,
      lease,
      written_unix_ms: clock.wallMs(),
      undo: undo.map(({ argv, env }) => ({ argv: [...argv], env: { ...env } })),
      started_usec: startedUsec,
    });
    try {
      const generation = await this.#arm(lease, undo, lease.ttl_ms);
      if (isOfProcess(lease)) await processes.begin(lease);
      else await network.begin(lease);
      await timers?.disarm(lease, { except: generation });
    } catch (cause) {
      await this.#end(lease).catch((error: unknown) => {
        const message = `${messageOf(cause)}; and it could not be taken back: ${messageOf(error)}`;
        throw new FaultError('APPLIED_BY_HALVES', message, { cause });
      });
      throw cause;
    }
  }

  /** A cut that also silenced the operator could be neither renewed nor reverted. */
  #keepControl(lease: HostLease): void {
    const { controlAddress } = this.#modules;
    if (lease.kind !== 'cut' || controlAddress === null) return;
    if (!lease.peers.map(canonicalAddress).includes(canonicalAddress(controlAddress))) return;
    const message = `cannot cut ${controlAddress} off: the SSH session that asks for it comes from there`;
    throw new FaultError('WOULD_CUT_CONTROL', message);
  }

  /** False, and nothing of it left, when the lease was no longer in force. */
  async #renewOne(intent: Intent, ttlMs: number): Promise<boolean> {
    const { timers, network, processes } = this.#modules;
    const { lease } = intent;
    const generation = await this.#arm(lease, intent.undo, ttlMs);
    const isRenewed = isOfProcess(lease) || (await network.renew(lease, ttlMs));
    await timers?.disarm(lease, { except: generation });
    // A unit is looked at last: its older timer may have fired until now.
    const isLost = isOfProcess(lease) && !(await processes.isInForce(lease, intent.started_usec));
    if (isRenewed && !isLost) return true;
    await this.#end(lease);
    return false;
  }

  async #arm(lease: HostLease, undo: readonly UndoStep[], ttlMs: number): Promise<string | null> {
    const afterMs = isOfProcess(lease) ? ttlMs : ttlMs + KERNEL_FIRST_MS;
    return (await this.#modules.timers?.arm(lease, undo, afterMs)) ?? null;
  }

  async #endAll(keys: readonly LeaseKey[]): Promise<void> {
    const failures: unknown[] = [];
    const ended = new Set<string>();
    for (const key of keys) {
      const name = `${key.run_id} ${key.lease_id}`;
      if (ended.has(name)) continue;
      ended.add(name);
      await this.#end(key).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Ends a lease: known, unknown, or held by halves. */
  async #end(key: LeaseKey): Promise<void> {
    const { intents, timers, network, processes } = this.#modules;
    const intent = await intents.read(key);
    if (intent === null) {
      await network.end(key);
      await timers?.fire(await timers.of(key));
    } else if (isOfProcess(intent.lease)) {
      await processes.end(intent.lease, intent.undo, intent.started_usec);
    } else {
      await network.end(key);
    }
    await timers?.disarm(key);
    await intents.remove(key);
  }

  /** Ends what is noted or stands but is in force no more: its timers must not meet what is begun now. */
  async #sweepExpired(): Promise<void> {
    const { intents, network } = this.#modules;
    const tables = (await network.tables()).flatMap(({ lease, inForce }) =>
      lease ? [{ lease, inForce }] : [],
    );
    const expired = tables.filter(({ inForce }) => !inForce).map(({ lease }) => lease);
    for (const intent of (await intents.all()).intents) {
      if (!(await this.#isInForce(intent, tables))) expired.push(intent.lease);
    }
    await this.#endAll(expired);
    await network.removeIdleQdiscs();
  }

  async #isInForce({ lease, started_usec }: Intent, tables: readonly TableOfLease[]): Promise<boolean> {
    if (isOfProcess(lease)) return await this.#modules.processes.isInForce(lease, started_usec);
    return tables.some((table) => table.inForce && isSameLease(table.lease, lease));
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const { intents } = this.#modules;
    await intents.open();
    return await holdingLock(intents.directory, async () => {
      await intents.removeTorn();
      return await work();
    });
  }
}

function leaseOf({ run_id, lease_id }: Standing): readonly LeaseKey[] {
  return run_id === null || lease_id === null ? [] : [{ run_id, lease_id }];
}
