import { FaultError } from '../../kit/errors.ts';
import type { HostLease } from '../../runner/faults/protocol.ts';
import { DEPLOYED_UNITS } from '../fleet/deployed-host.ts';
import type { Host } from '../fleet/host.ts';
import type {
  Capabilities,
  EdgeProbe,
  FaultDriver,
  Lease,
  LeaseSpec,
  ProcessRole,
  ProcessState,
  StandingFault,
} from './fault-driver.ts';
import { FaultProgramClient } from './fault-program-client.ts';
import { askFaultProgram } from './fault-program-once.ts';

const ASK_BUDGET_MS = 12_000; // as long as a lease that is not renewed stands
/** systemd stops a unit within its own 10 s before it starts it again. */
const PROCESS_BUDGET_MS = 30_000;
const PROBE_TIMEOUT_MS = 4_000; // two ways over links that a fault made slow
const CLOSE_BUDGET_MS = 15_000;

/** A host that faults can be carried out on. */
interface FaultedHost {
  readonly name: string;
  readonly host: Host;
  /** IP addresses by which the other hosts know it, both families where it has both. */
  readonly addresses: readonly [string, ...string[]];
  /** TCP ports at those addresses that answer or refuse; the first that does is used for probes. */
  readonly probePorts: readonly [number, ...number[]];
}

interface DriverModules {
  readonly runId: string;
  readonly hosts: readonly FaultedHost[];
  /** Told before a process is ended on purpose. */
  readonly endExpected: (node: string, role: ProcessRole) => void;
}

interface Reach extends FaultedHost {
  readonly program: FaultProgramClient;
  /** Leases that were asked for and not yet reverted; bounded by the safety nets. */
  readonly leases: Set<string>;
}

/**
 * Faults on hosts over SSH, by the fault program of each. While the connection stands, its session holds the leases;
 * when it is lost the program reverts them, and where that is lost too, kernel and systemd end them.
 */
export class SshFaultDriver implements FaultDriver {
  readonly #modules: DriverModules;
  readonly #reaches: ReadonlyMap<string, Reach>;
  readonly #probePorts = new Map<string, number>(); // one per edge

  constructor(modules: DriverModules) {
    this.#modules = modules;
    this.#reaches = new Map(
      modules.hosts.map((host) => [
        host.name,
        { ...host, program: new FaultProgramClient(host.host), leases: new Set() },
      ]),
    );
  }

  async capabilities(node: string, signal: AbortSignal): Promise<Capabilities> {
    const units = Object.values(DEPLOYED_UNITS);
    const ask = { budgetMs: ASK_BUDGET_MS, signal };
    const { kinds } = await this.#reach(node).program.ask('capabilities', { units }, ask);
    const kind = (name: LeaseSpec['kind'] | 'restart') =>
      kinds[name] === undefined ? 'its fault program does not know this kind' : kinds[name];
    return {
      cut: kind('cut'),
      shape: kind('shape'),
      pause: kind('pause'),
      stop: kind('stop'),
      restart: kind('restart'),
    };
  }

  async apply({ id, spec, ttlMs }: Lease, signal: AbortSignal): Promise<void> {
    const { program, leases } = this.#reach(spec.at);
    const lease = this.#hostLease(id, spec, ttlMs);
    if (spec.kind === 'stop') this.#modules.endExpected(spec.at, spec.role);
    leases.add(id);
    await program.ask('apply', { lease }, { budgetMs: PROCESS_BUDGET_MS, signal });
  }

  async renew(
    node: string,
    ids: readonly string[],
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const request = { run_id: this.#modules.runId, lease_ids: ids, ttl_ms: ttlMs };
    const ask = { budgetMs: ASK_BUDGET_MS, signal };
    return (await this.#reach(node).program.ask('renew', request, ask)).lost;
  }

  async revert(node: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
    const { program, leases } = this.#reach(node);
    const request = { run_id: this.#modules.runId, lease_ids: ids };
    await program.ask('revert', request, { budgetMs: PROCESS_BUDGET_MS, signal });
    for (const id of ids) leases.delete(id);
  }

  async standing(node: string, signal: AbortSignal): Promise<readonly StandingFault[]> {
    const { runId } = this.#modules;
    const { standing } = await askFaultProgram(
      this.#reach(node).host,
      'list',
      {},
      { budgetMs: ASK_BUDGET_MS, signal },
    );
    return standing.map(({ run_id, lease_id, what }) => ({
      at: node,
      runId: run_id,
      leaseId: run_id === runId ? lease_id : null,
      what,
    }));
  }

  async matchedPackets(node: string, id: string, signal: AbortSignal): Promise<number | null> {
    const request = { run_id: this.#modules.runId, lease_ids: [id] };
    const ask = { budgetMs: ASK_BUDGET_MS, signal };
    const { matched } = await this.#reach(node).program.ask('counters', request, ask);
    return matched[id] ?? null;
  }

  async probe(from: string, to: string, count: number, signal: AbortSignal): Promise<EdgeProbe> {
    const edge = `${from} ${to}`;
    const { probePorts } = this.#reach(to);
    const known = this.#probePorts.get(edge);
    let probed: EdgeProbe | null = null;
    for (const port of known === undefined ? probePorts : [known]) {
      probed = await this.#probePort(from, to, port, count, signal);
      if (probed.answered === 0) continue;
      this.#probePorts.set(edge, port);
      return probed;
    }
    return probed ?? { sent: 0, answered: 0, rttMs: null };
  }

  async processState(node: string, role: ProcessRole, signal: AbortSignal): Promise<ProcessState> {
    const ask = { budgetMs: ASK_BUDGET_MS, signal };
    return await this.#reach(node).program.ask('process', { unit: DEPLOYED_UNITS[role] }, ask);
  }

  async restart(node: string, role: ProcessRole, signal: AbortSignal): Promise<void> {
    this.#modules.endExpected(node, role);
    const ask = { budgetMs: PROCESS_BUDGET_MS, signal };
    await this.#reach(node).program.ask('restart', { unit: DEPLOYED_UNITS[role] }, ask);
  }

  /** @throws AggregateError when leases could not be reverted on some host; its connection is given up even so */
  async close(): Promise<void> {
    const closed = await Promise.allSettled(
      [...this.#reaches.values()].map(async ({ name, program, leases }) => {
        try {
          if (leases.size > 0) await this.revert(name, [...leases], AbortSignal.timeout(CLOSE_BUDGET_MS));
        } finally {
          await program.close();
        }
      }),
    );
    const failures = closed.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    if (failures.length > 1)
      throw new AggregateError(failures, 'faults could not be reverted on several hosts');
    if (failures.length === 1) throw failures[0];
  }

  /** All at the same time: silence costs the timeout of one. */
  async #probePort(
    from: string,
    to: string,
    port: number,
    count: number,
    signal: AbortSignal,
  ): Promise<EdgeProbe> {
    const { program } = this.#reach(from);
    const [address] = this.#reach(to).addresses;
    const request = { address, port, count: 1, timeout_ms: PROBE_TIMEOUT_MS };
    const answers = await Promise.all(
      Array.from({ length: count }, () => program.ask('probe', request, { budgetMs: ASK_BUDGET_MS, signal })),
    );
    const rtts = answers.flatMap(({ rtt_ms }) => (rtt_ms === null ? [] : [rtt_ms])).toSorted((a, b) => a - b);
    return { sent: count, answered: rtts.length, rttMs: rtts[Math.floor(rtts.length / 2)] ?? null };
  }

  #hostLease(id: string, spec: LeaseSpec, ttlMs: number): HostLease {
    const common = { run_id: this.#modules.runId, lease_id: id, ttl_ms: ttlMs };
    switch (spec.kind) {
      case 'cut':
        if (spec.flows === 'live') {
          throw new FaultError(
            'FAULT_UNAVAILABLE',
            `${spec.at}: a host cannot tell packets of live connections from others`,
          );
        }
        return {
          ...common,
          kind: 'cut',
          peers: this.#addressesOf(spec.peers),
          larger_than_bytes: spec.largerThanBytes,
        };
      case 'shape':
        return {
          ...common,
          kind: 'shape',
          peers: this.#addressesOf(spec.peers),
          delay_ms: spec.delayMs,
          jitter_ms: spec.jitterMs,
          loss_ratio: spec.lossRatio,
          rate_kbit: spec.rateKbit,
        };
      case 'pause':
      case 'stop':
        return { ...common, kind: spec.kind, unit: DEPLOYED_UNITS[spec.role] };
    }
  }

  #addressesOf(nodes: readonly string[]): string[] {
    return nodes.flatMap((node) => [...this.#reach(node).addresses]);
  }

  #reach(node: string): Reach {
    const reach = this.#reaches.get(node);
    if (reach === undefined) throw new FaultError('UNKNOWN_NODE', `no host ${node} in this fleet`);
    return reach;
  }
}
