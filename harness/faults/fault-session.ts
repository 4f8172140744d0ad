import pLimit from 'p-limit';
import { withinBudget } from '../../kit/deadline.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import type { RecordOf } from '../../proofs/evidence.ts';
import type { Safety } from '../../proofs/safety-schema.ts';
import type { FaultRequest, Faults, HeldFault } from '../../scenarios/faults.ts';
import type { PlannedFleet } from '../../scenarios/scenario.ts';
import { ActiveFault, type ActiveModules } from './active-fault.ts';
import type { Capabilities } from './fault-driver.ts';
import { edgesOf, hostsOf, leasesOf, specRecord, targetsOf } from './fault-leases.ts';
import { measureFault } from './fault-measures.ts';
import { refusalOf } from './safety-nets.ts';

/** How long a host keeps a fault that nobody renews. */
const LEASE_TTL_MS = 15_000;
const CONCURRENT_RESTARTS = 16;
const CAPABILITIES_BUDGET_MS = 10_000;

export interface SessionModules extends Omit<ActiveModules, 'nodes'> {
  readonly fleet: PlannedFleet;
  readonly safety: Safety;
  /** A fresh id, unique in the run. */
  readonly nextId: () => string;
  /** Told of every fault that was ever asked for. */
  readonly opened: (fault: ActiveFault) => void;
}

/** The faults of one scenario. `close` ends those that it left behind and closes the books on its restarts. */
export class FaultSession implements Faults {
  readonly #at: { readonly window: number; readonly scenario: string };
  readonly #modules: SessionModules;
  /** What stands or is about to: bounded by the safety nets, which allow one per host. */
  readonly #active = new Set<FaultRequest>();
  readonly #held = new Set<ActiveFault>();
  readonly #restarts: ActiveFault[] = [];
  #state: 'open' | 'closed' = 'open';

  constructor(at: { readonly window: number; readonly scenario: string }, modules: SessionModules) {
    this.#at = at;
    this.#modules = modules;
  }

  cut(request: Parameters<Faults['cut']>[0]): Promise<HeldFault> {
    return this.#hold({ kind: 'cut', ...request });
  }

  shape(request: Parameters<Faults['shape']>[0]): Promise<HeldFault> {
    return this.#hold({ kind: 'shape', ...request });
  }

  pause(node: string): Promise<HeldFault> {
    return this.#hold({ kind: 'pause', node });
  }

  async stop(node: string): Promise<HeldFault> {
    return await this.#hold({ kind: 'stop', node });
  }

  async restart(nodes: readonly string[]): Promise<ReadonlyMap<string, { readonly atMs: number }>> {
    const request: FaultRequest = { kind: 'restart', nodes };
    const fault = await this.#open(request);
    try {
      return await this.#restartAll(fault, nodes);
    } finally {
      this.#active.delete(request);
    }
  }

  async #restartAll(
    fault: ActiveFault,
    nodes: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly atMs: number }>> {
    const { driver, clock, signal, record } = this.#modules;
    const before = await measureFault(this.#measuring(), fault.fault, 'before', signal);
    await Promise.all(before.map(record));
    for (const node of nodes) await record({ type: 'restart_declared', ...this.#at, node });
    const startedMs = clock.nowMs();
    this.#restarts.push(fault);
    const limit = pLimit(CONCURRENT_RESTARTS);
    const told = await Promise.allSettled(
      nodes.map((node) =>
        limit(async () => {
          const atMs = clock.nowMs();
          await driver.restart(node, 'node', signal);
          return [node, { atMs }] as const;
        }),
      ),
    );
    signal.throwIfAborted();
    const failures = told.flatMap((one, at) =>
      one.status === 'rejected' ? [`${nodes[at]}: ${messageOf(one.reason)}`] : [],
    );
    if (failures.length > 0) {
      throw new FaultError('FAULT_NOT_APPLIED', `could not restart ${failures.join('; ')}`, {
        details: { fault_id: fault.id },
      });
    }
    await record({ type: 'fault_applied', fault_id: fault.id, took_ms: clock.nowMs() - startedMs });
    this.#modules.progress.show({
      event: 'fault_state',
      fault_id: fault.id,
      kind: 'restart',
      targets: nodes,
      state: 'applied',
      why: null,
    });
    return new Map(told.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  }

  isHeldDown(node: string): boolean {
    const holders = [...this.#active, ...this.#restarts.map(({ fault }) => fault.request)];
    return holders.some((request) => !('edges' in request) && hostsOf(request).includes(node));
  }

  /** Ends every fault that stands. @throws what kept the evidence from being written, when all of them are ended */
  async close(): Promise<void> {
    this.#state = 'closed';
    const ended = await Promise.allSettled([
      ...[...this.#held].map((fault) => fault.revert()),
      ...this.#restarts.splice(0).map((fault) => fault.revert()),
    ]);
    const failure = ended.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  async #hold(request: FaultRequest): Promise<HeldFault> {
    const fault = await this.#open(request);
    this.#held.add(fault);
    if (request.kind === 'stop') {
      await this.#modules.record({ type: 'restart_declared', ...this.#at, node: request.node });
    }
    await fault.apply();
    return fault;
  }

  /** Checks that it may and can be made, and writes the intent; nothing is touched yet. */
  async #open(request: FaultRequest): Promise<ActiveFault> {
    const { fleet, safety, signal } = this.#modules;
    signal.throwIfAborted();
    if (this.#state === 'closed') throw new FaultError('FAULT_REFUSED', 'the scenario is over');
    const unknown = [...hostsOf(request), ...edgesOf(request).flat()].find(
      (node) => !fleet.nodes.includes(node),
    );
    if (unknown !== undefined) throw new Error(`${unknown} is not a node of this fleet`);
    if (hostsOf(request).length === 0) throw new Error(`a ${request.kind} of nothing`);
    const refusal = refusalOf(request, [...this.#active], fleet, safety);
    if (refusal !== null) {
      throw new FaultError(
        'FAULT_REFUSED',
        `${request.kind} refused: ${refusal.why}; ${refusal.flag} would allow it`,
        {
          details: { kind: request.kind, flag: refusal.flag },
        },
      );
    }
    this.#active.add(request);
    try {
      await this.#requireCapable(request);
      return await this.#write(request);
    } catch (error) {
      this.#active.delete(request);
      throw error;
    }
  }

  async #write(request: FaultRequest): Promise<ActiveFault> {
    const { nextId, opened, record } = this.#modules;
    const id = nextId();
    const leases = leasesOf(request, id, LEASE_TTL_MS);
    const requested: RecordOf<'fault_requested'> = {
      type: 'fault_requested',
      ...this.#at,
      fault_id: id,
      kind: request.kind,
      targets: [...targetsOf(request)],
      edges: edgesOf(request).map(([from, to]): [string, string] => [from, to]),
      spec: specRecord(request),
      ttl_ms: leases.length === 0 ? 0 : LEASE_TTL_MS,
    };
    await record(requested);
    const fault = new ActiveFault({ id, request, leases }, requested, this.#measuring(), (ended) => {
      this.#held.delete(ended);
      this.#active.delete(request);
    });
    opened(fault);
    return fault;
  }

  #measuring(): ActiveModules {
    return { ...this.#modules, nodes: this.#modules.fleet.nodes };
  }

  async #requireCapable(request: FaultRequest): Promise<void> {
    const lacks = await Promise.all(
      hostsOf(request).map(async (host) => {
        const able = await this.#capabilitiesOf(host);
        const isLiveCut = request.kind === 'cut' && request.flows === 'live';
        const why = able[request.kind] ?? (isLiveCut ? whyNoLiveCut(able) : null);
        return why === null ? [] : [`${host}: ${why}`];
      }),
    );
    if (lacks.flat().length === 0) return;
    throw new FaultError('FAULT_UNAVAILABLE', `no ${request.kind} here: ${lacks.flat().join('; ')}`, {
      details: { kind: request.kind, lacks: lacks.flat() },
    });
  }

  /** A host that does not tell in time is the control plane's failure, and says nothing about the mesh. */
  async #capabilitiesOf(host: string): Promise<Capabilities> {
    const { driver, signal } = this.#modules;
    try {
      return await withinBudget(
        `${host} to tell which faults it can carry`,
        CAPABILITIES_BUDGET_MS,
        (within) => driver.capabilities(host, within),
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FaultError) throw error;
      throw new FaultError('FAULT_UNAVAILABLE', messageOf(error), { cause: error });
    }
  }
}

function whyNoLiveCut({
  liveCut = 'its cuts cannot tell connections made before from new ones',
}: Capabilities) {
  return liveCut;
}
