import type { Clock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { messageOf } from '../../kit/errors.ts';
import type { FaultDriver, Lease } from './fault-driver.ts';

/** Beats per life of a lease: two may be lost before it ends. */
const BEATS_PER_TTL = 3;

/**
 * Renews the leases of one fault until stopped, host by host. A lease that was gone, or that could not be renewed for
 * its whole life, is told once; the fault goes on, since what is left of it must still be reverted.
 */
export class LeaseKeeper {
  readonly #driver: Pick<FaultDriver, 'renew'>;
  readonly #clock: Clock;
  readonly #lapsed: (node: string, why: string) => void;
  readonly #stop = new AbortController();
  readonly #told = new Set<string>();
  readonly #running: Promise<unknown>;

  /** @param modules `sinceMs`: when the leases were asked for, on `clock`; their lives began no earlier */
  constructor(
    leases: readonly Lease[],
    modules: {
      readonly driver: Pick<FaultDriver, 'renew'>;
      readonly clock: Clock;
      readonly sinceMs: number;
      readonly lapsed: (node: string, why: string) => void;
    },
  ) {
    this.#driver = modules.driver;
    this.#clock = modules.clock;
    this.#lapsed = modules.lapsed;
    this.#running = Promise.all(leases.map((lease) => this.#keep(lease, modules.sinceMs)));
  }

  /** Resolves when no renewal is under way any more: a renewal after a revert would bring the fault back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #keep({ id, spec: { at }, ttlMs }: Lease, sinceMs: number): Promise<void> {
    const { signal } = this.#stop;
    const everyMs = ttlMs / BEATS_PER_TTL;
    let heldMs = sinceMs;
    let askedMs = sinceMs;
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(Math.max(0, askedMs + everyMs - this.#clock.nowMs()), signal);
        askedMs = this.#clock.nowMs();
        const gone = await withinBudget(
          `renewal of ${id}`,
          everyMs,
          (within) => this.#driver.renew(at, [id], ttlMs, within),
          signal,
        );
        if (gone.includes(id)) this.#tell(at, `lease ${id} was not there any more when it was to be renewed`);
        else heldMs = askedMs;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#clock.nowMs() - heldMs >= ttlMs) {
          this.#tell(at, `lease ${id} could not be renewed for its ${ttlMs} ms: ${messageOf(error)}`);
        }
      }
    }
  }

  #tell(node: string, why: string): void {
    if (this.#told.has(node)) return;
    this.#told.add(node);
    this.#lapsed(node, why);
  }
}
