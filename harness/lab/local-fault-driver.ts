import { FaultError } from '../../kit/errors.ts';
import type {
  Capabilities,
  EdgeProbe,
  FaultDriver,
  Lease,
  LeaseSpec,
  ProcessRole,
  ProcessState,
  StandingFault,
} from '../faults/fault-driver.ts';
import type { AgentLeaseSpec } from './link-agent/protocol.ts';
import type { LinkAgentProcess } from './link-agent-process.ts';
import type { LocalMember } from './local-member.ts';
import { readProcessStat } from './process-stat.ts';
import { StopLeases } from './stop-leases.ts';

/** QUIC's least datagram (RFC 9000 14): a fault that lets it pass lets handshakes pass. */
const PROBE_BYTES = 1_200;
const PROBE_EVERY_MS = 20;
/** Two ways over the slowest link that a probe is meant for, beyond the time between the first and the last. */
const PROBE_BUDGET_MS = 15_000;
const ROLES: readonly ProcessRole[] = ['node', 'runner'];

interface DriverModules {
  readonly memberOf: (name: string) => LocalMember | undefined;
  /** What carries the links, where there are any. */
  readonly agent: () => LinkAgentProcess | undefined;
}

/**
 * Faults on a local mesh. Links and pauses are leases of the link agent, which ends them by its own clock and when the
 * harness dies. A stopped process is a lease of this process: when it dies the whole mesh does, by its lifelines.
 */
export class LocalFaultDriver implements FaultDriver {
  readonly #modules: DriverModules;
  readonly #stops = new StopLeases();
  /** By node and role, the latest pause: a process that is found paused when its lease is gone was paused by it. */
  readonly #lastPause = new Map<string, { readonly pid: number; readonly leaseId: string }>();

  constructor(modules: DriverModules) {
    this.#modules = modules;
  }

  async capabilities(node: string, _signal: AbortSignal): Promise<Capabilities> {
    this.#memberOf(node);
    const noLinks = this.#whyNoAgent();
    return { cut: noLinks, liveCut: noLinks, shape: noLinks, pause: noLinks, stop: null, restart: null };
  }

  async apply({ id, spec, ttlMs }: Lease, signal: AbortSignal): Promise<void> {
    const member = this.#memberOf(spec.at);
    if (spec.kind === 'stop') {
      const { role } = spec;
      this.#stops.hold(id, spec.at, ttlMs, () => member.start(role));
      await member.stop(role);
      return;
    }
    const agentSpec = this.#agentSpec(spec, member);
    if (spec.kind === 'pause' && agentSpec.kind === 'pause') {
      this.#lastPause.set(`${spec.at} ${spec.role}`, { pid: agentSpec.pid, leaseId: id });
    }
    await this.#agent().ask({ op: 'apply', lease: { id, ttl_ms: ttlMs, spec: agentSpec } }, signal);
  }

  async renew(
    _node: string,
    ids: readonly string[],
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const unknown = ids.filter((id) => !this.#stops.renew(id, ttlMs));
    if (unknown.length === 0) return [];
    const agent = this.#modules.agent();
    if (agent === undefined) return unknown;
    return (await agent.ask({ op: 'renew', ids: unknown, ttl_ms: ttlMs }, signal)).gone;
  }

  async revert(_node: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
    await Promise.all(ids.map((id) => this.#stops.end(id)));
    const agent = this.#modules.agent();
    // An agent that is gone has taken its faults with it; what it paused was let go on then.
    if (agent !== undefined && agent.exit === undefined)
      await agent.ask({ op: 'revert', ids: [...ids] }, signal);
  }

  async standing(node: string, signal: AbortSignal): Promise<readonly StandingFault[]> {
    const member = this.#memberOf(node);
    const stopped = this.#stops.at(node).map((leaseId) => ({ leaseId, what: 'a process kept from running' }));
    const held = (await this.#held(signal)).filter(({ spec }) => concerns(spec, member));
    const leased = held.map(({ id, spec }) => ({ leaseId: id, what: describe(spec) }));
    const pausedPids = held.flatMap(({ spec }) => (spec.kind === 'pause' ? [spec.pid] : []));
    const left = ROLES.flatMap((role) => {
      const pid = runningPid(member, role);
      if (pid === null || pausedPids.includes(pid) || readProcessStat(pid)?.state !== 'T') return [];
      const last = this.#lastPause.get(`${node} ${role}`);
      const leaseId = last?.pid === pid ? last.leaseId : null;
      return [{ leaseId, what: `${role} (process ${pid}) paused, with no lease to it` }];
    });
    return [...stopped, ...leased, ...left].map((fault) => ({ at: node, runId: null, ...fault }));
  }

  async matchedPackets(_node: string, id: string, signal: AbortSignal): Promise<number | null> {
    const lease = (await this.#held(signal)).find((held) => held.id === id);
    return lease === undefined || lease.spec.kind === 'pause' ? null : lease.matched_packets;
  }

  async probe(from: string, to: string, count: number, signal: AbortSignal): Promise<EdgeProbe> {
    const request = {
      op: 'probe',
      edge: [from, to],
      count,
      bytes: PROBE_BYTES,
      every_ms: PROBE_EVERY_MS,
    } as const;
    const budgetMs = PROBE_BUDGET_MS + count * PROBE_EVERY_MS;
    const answer = await this.#agent().ask({ ...request, edge: [from, to] }, signal, budgetMs);
    return { sent: answer.sent, answered: answer.answered, rttMs: answer.rtt_ms };
  }

  async processState(node: string, role: ProcessRole, _signal: AbortSignal): Promise<ProcessState> {
    const child = this.#memberOf(node).process(role);
    if (child === undefined || child.pid === undefined) return { state: 'gone', pid: null };
    if (child.exit !== undefined)
      return { state: child.exit.manner === 'unasked' ? 'gone' : 'stopped', pid: null };
    return { state: readProcessStat(child.pid)?.state === 'T' ? 'paused' : 'running', pid: child.pid };
  }

  async restart(node: string, role: ProcessRole, signal: AbortSignal): Promise<void> {
    await this.#memberOf(node).restart(role, signal);
  }

  /** Ends the leases that it holds itself; those of the agent end with the agent, which belongs to the mesh. */
  async close(): Promise<void> {
    await this.#stops.endAll();
    const agent = this.#modules.agent();
    if (agent === undefined || agent.exit !== undefined) return;
    const signal = AbortSignal.timeout(PROBE_BUDGET_MS);
    const ids = (await this.#held(signal)).map(({ id }) => id);
    if (ids.length > 0) await agent.ask({ op: 'revert', ids }, signal);
  }

  async #held(signal: AbortSignal) {
    const agent = this.#modules.agent();
    if (agent === undefined || agent.exit !== undefined) return []; // without it no link is harmed and nothing paused
    return (await agent.ask({ op: 'standing' }, signal)).leases;
  }

  #agentSpec(spec: Exclude<LeaseSpec, { kind: 'stop' }>, member: LocalMember): AgentLeaseSpec {
    switch (spec.kind) {
      case 'cut': {
        const edges = spec.peers.map((peer): [string, string] => [peer, spec.at]);
        const live_flow = spec.flows === 'live';
        return { kind: 'cut', edges, larger_than_bytes: spec.largerThanBytes, live_flow };
      }
      case 'shape': {
        const { delayMs, jitterMs, lossRatio, rateKbit } = spec;
        return {
          kind: 'shape',
          edges: spec.peers.map((peer): [string, string] => [spec.at, peer]),
          shape: { delay_ms: delayMs, jitter_ms: jitterMs, loss_ratio: lossRatio, rate_kbit: rateKbit },
        };
      }
      case 'pause': {
        const pid = runningPid(member, spec.role);
        if (pid === null)
          throw new FaultError('PROCESS_GONE', `the ${spec.role} of ${spec.at} is not running`);
        return { kind: 'pause', pid };
      }
      default:
        throw new Error(`a lease of kind ${spec.kind} is not the agent's`);
    }
  }

  #memberOf(name: string): LocalMember {
    const member = this.#modules.memberOf(name);
    if (member === undefined) throw new FaultError('UNKNOWN_NODE', `no node ${name} in this mesh`);
    return member;
  }

  #agent(): LinkAgentProcess {
    const agent = this.#modules.agent();
    if (agent === undefined) throw new FaultError('FAULT_UNAVAILABLE', this.#whyNoAgent() ?? '');
    return agent;
  }

  #whyNoAgent(): string | null {
    const agent = this.#modules.agent();
    if (agent === undefined)
      return 'no link proxy: the nodes reach each other directly; start the mesh with --links';
    return agent.exit === undefined ? null : 'no link proxy: it ended';
  }
}

function runningPid(member: LocalMember, role: ProcessRole): number | null {
  const child = member.process(role);
  return child === undefined || child.exit !== undefined ? null : (child.pid ?? null);
}

/** Whether a lease is one of this member's host: what arrives there is cut there, what leaves it is shaped there. */
function concerns(spec: AgentLeaseSpec, member: LocalMember): boolean {
  switch (spec.kind) {
    case 'cut':
      return spec.edges.some(([, to]) => to === member.name);
    case 'shape':
      return spec.edges.some(([from]) => from === member.name);
    case 'pause':
      return ROLES.some((role) => member.process(role)?.pid === spec.pid);
  }
}

function describe(spec: AgentLeaseSpec): string {
  if (spec.kind === 'pause') return `process ${spec.pid} paused`;
  const edges = spec.edges.map(([from, to]) => `${from}→${to}`).join(', ');
  return spec.kind === 'cut' ? `${edges} cut` : `${edges} shaped`;
}
