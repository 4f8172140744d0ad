import { BoundedMap } from '../../../kit/bounded.ts';

/** One fault that stands until its time is up. */
export interface HeldLease<Spec> {
  readonly id: string;
  readonly spec: Spec;
  expiresAtMs: number;
  matchedPackets: number;
}

/** The least that the agent carries at once: every directed link of a mesh of 32 cut one by one. */
const LEASES_MAX = 1_024;

/**
 * Who holds which fault, and until when. Pure: time comes in. What follows from a change is its owner's to carry out.
 */
export class LeaseBook<Spec> {
  readonly #leases = new BoundedMap<string, HeldLease<Spec>>({ max: LEASES_MAX });

  /** Every lease that stands, in order of its beginning. */
  all(): readonly HeldLease<Spec>[] {
    return [...this.#leases.values()];
  }

  get(id: string): HeldLease<Spec> | undefined {
    return this.#leases.get(id);
  }

  /** Adds a lease, or gives the one of that id more time. `undefined` when there is no room for another. */
  apply(
    lease: { readonly id: string; readonly spec: Spec; readonly ttlMs: number },
    nowMs: number,
  ): { readonly lease: HeldLease<Spec>; readonly outcome: 'begun' | 'stood' } | undefined {
    const standing = this.#leases.get(lease.id);
    if (standing !== undefined) {
      standing.expiresAtMs = nowMs + lease.ttlMs;
      return { lease: standing, outcome: 'stood' };
    }
    if (this.#leases.size >= LEASES_MAX) return undefined;
    const { id, spec, ttlMs } = lease;
    const begun = { id, spec, expiresAtMs: nowMs + ttlMs, matchedPackets: 0 };
    this.#leases.set(id, begun);
    return { lease: begun, outcome: 'begun' };
  }

  /** Gives more time; the ids that no longer stand are given back, and stay ended. */
  renew(ids: readonly string[], ttlMs: number, nowMs: number): readonly string[] {
    return ids.filter((id) => {
      const lease = this.#leases.get(id);
      if (lease === undefined || lease.expiresAtMs <= nowMs) return true;
      lease.expiresAtMs = nowMs + ttlMs;
      return false;
    });
  }

  /** Ends leases; unknown ids are no error. Gives those that stood. */
  end(ids: readonly string[]): readonly HeldLease<Spec>[] {
    return ids.flatMap((id) => {
      const lease = this.#leases.get(id);
      this.#leases.delete(id);
      return lease === undefined ? [] : [lease];
    });
  }

  /** Ends and gives those whose time is up. */
  expire(nowMs: number): readonly HeldLease<Spec>[] {
    return this.end(this.all().flatMap(({ id, expiresAtMs }) => (expiresAtMs <= nowMs ? [id] : [])));
  }

  /** When the next one ends by itself. */
  get nextExpiryMs(): number | undefined {
    const [first] = this.all().toSorted((a, b) => a.expiresAtMs - b.expiresAtMs);
    return first?.expiresAtMs;
  }
}
