import { FaultError } from '../../kit/errors.ts';
import type { FaultDriver, Lease, ProcessRole } from './fault-driver.ts';

/** What a test may break of the driver. */
export interface FixtureBreaks {
  /** Leases stand and do nothing. */
  readonly toothless?: 'yes';
  /** Hosts that take no lease. */
  readonly refusing?: readonly string[];
  /** Hosts that forget their leases at the first renewal. */
  readonly forgetful?: readonly string[];
  /** Hosts that end no lease. */
  readonly sticky?: readonly string[];
  /** Hosts at which nobody can look. */
  readonly blind?: readonly string[];
  /** Kinds of fault that no host can carry, with why. */
  readonly unable?: Readonly<Partial<Record<'cut' | 'shape' | 'pause' | 'stop' | 'restart', string>>>;
}

/** Test-only: hosts in memory on which faults work as they should, but for what a test breaks. */
export class FixtureDriver implements FaultDriver {
  /** Every call that changed something, in order. */
  readonly calls: string[] = [];
  readonly standingLeases = new Map<string, Lease>();
  readonly boots = new Map<string, number>();
  readonly #breaks: FixtureBreaks;

  constructor(breaks: FixtureBreaks = {}) {
    this.#breaks = breaks;
  }

  /** The process that answers at a node now. */
  bootIdOf = async (node: string): Promise<string> => `${node}-${this.boots.get(node) ?? 1}`;

  async capabilities() {
    return { cut: null, shape: null, pause: null, stop: null, restart: null, ...this.#breaks.unable };
  }

  async apply(lease: Lease): Promise<void> {
    this.calls.push(`apply ${lease.id}`);
    if (this.#breaks.refusing?.includes(lease.spec.at))
      throw new FaultError('HOST_LOST', `${lease.spec.at} is gone`);
    this.standingLeases.set(lease.id, lease);
  }

  async renew(node: string, ids: readonly string[]): Promise<readonly string[]> {
    this.calls.push(`renew ${ids.join(' ')}`);
    if (this.#breaks.forgetful?.includes(node)) for (const id of ids) this.standingLeases.delete(id);
    return ids.filter((id) => !this.standingLeases.has(id));
  }

  async revert(node: string, ids: readonly string[]): Promise<void> {
    this.calls.push(`revert ${ids.join(' ')}`);
    if (this.#breaks.sticky?.includes(node)) return;
    for (const id of ids) this.standingLeases.delete(id);
  }

  async standing(node: string) {
    if (this.#breaks.blind?.includes(node))
      throw new FaultError('HOST_UNREACHABLE', `${node} does not answer`);
    return this.#leasesAt(node).map(({ id, spec }) => ({
      at: node,
      leaseId: id,
      runId: 'r',
      what: spec.kind,
    }));
  }

  async matchedPackets(_node: string, id: string): Promise<number | null> {
    return this.standingLeases.has(id) && this.#breaks.toothless === undefined ? 7 : 0;
  }

  async probe(from: string, to: string, count: number) {
    const bites = this.#breaks.toothless === undefined ? [...this.standingLeases.values()] : [];
    const meets = ([a, b]: readonly [string, string]) =>
      bites.filter(({ spec }) => {
        if (spec.kind === 'cut')
          return spec.at === b && spec.peers.includes(a) && spec.largerThanBytes === null;
        return spec.kind === 'shape' && spec.at === a && spec.peers.includes(b);
      });
    const met = [...meets([from, to]), ...meets([to, from])];
    if (met.some(({ spec }) => spec.kind === 'cut')) return { sent: count, answered: 0, rttMs: null };
    const delayMs = met.reduce((sum, { spec }) => sum + (spec.kind === 'shape' ? spec.delayMs : 0), 0);
    return { sent: count, answered: count, rttMs: 1 + delayMs };
  }

  async processState(node: string) {
    const held = this.#leasesAt(node).find(({ spec }) => spec.kind === 'pause' || spec.kind === 'stop');
    const state =
      held === undefined || this.#breaks.toothless
        ? 'running'
        : held.spec.kind === 'pause'
          ? 'paused'
          : 'stopped';
    return { state, pid: 1 } as const;
  }

  async restart(node: string, _role: ProcessRole): Promise<void> {
    this.calls.push(`restart ${node}`);
    if (this.#breaks.toothless === undefined) this.boots.set(node, (this.boots.get(node) ?? 1) + 1);
  }

  async close(): Promise<void> {}

  #leasesAt(node: string): readonly Lease[] {
    return [...this.standingLeases.values()].filter(({ spec }) => spec.at === node);
  }
}
