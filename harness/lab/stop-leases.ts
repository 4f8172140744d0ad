interface StopLease {
  readonly node: string;
  readonly undo: () => Promise<void>;
  /** Null while it is being undone: from then on nobody can renew it. */
  timer: NodeJS.Timeout | null;
}

/** Processes that are kept from running, each until its time is up. One process has at most a few. */
export class StopLeases {
  readonly #leases = new Map<string, StopLease>();

  /** Keeps it for `ttlMs` from now, then undoes it; the same lease again has only its time renewed. */
  hold(id: string, node: string, ttlMs: number, undo: () => Promise<void>): void {
    if (this.renew(id, ttlMs)) return;
    this.#leases.set(id, { node, undo, timer: this.#timer(id, ttlMs) });
  }

  /** Whether it stood and has its time renewed. */
  renew(id: string, ttlMs: number): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.timer === null) return false;
    clearTimeout(lease.timer);
    lease.timer = this.#timer(id, ttlMs);
    return true;
  }

  /** Undoes it, if it stands. One that cannot be undone still stands, which the look at what stands tells. */
  async end(id: string): Promise<void> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    if (lease.timer !== null) clearTimeout(lease.timer);
    lease.timer = null;
    await lease.undo();
    if (this.#leases.get(id) === lease) this.#leases.delete(id);
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#leases.keys()].map((id) => this.end(id)));
  }

  /** The leases of `node` that stand. */
  at(node: string): readonly string[] {
    return [...this.#leases].flatMap(([id, lease]) => (lease.node === node ? [id] : []));
  }

  #timer(id: string, ttlMs: number): NodeJS.Timeout {
    return setTimeout(() => void this.end(id).catch(() => {}), ttlMs).unref();
  }
}
