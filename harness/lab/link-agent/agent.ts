import { FaultError, UsageError } from '../../../kit/errors.ts';
import { type HeldLease, LeaseBook } from './lease-book.ts';
import { figuresFromWire } from './link-figures.ts';
import { LinkProxy } from './link-proxy.ts';
import { type Edge, LinkTable } from './link-table.ts';
import { PausedProcesses } from './paused-processes.ts';
import { runProbes } from './probes.ts';
import type { AgentAnswer, AgentLeaseSpec, AgentOp, AgentRequest } from './protocol.ts';

type RequestOf<Op extends AgentOp> = Extract<AgentRequest, { op: Op }>;

/**
 * The link agent without its process: links, faults on them, and paused processes, each fault ending by itself when its
 * time is up.
 */
export class Agent {
  readonly #links: LinkTable;
  readonly #proxy: LinkProxy;
  readonly #leases = new LeaseBook<AgentLeaseSpec>();
  readonly #paused = new PausedProcesses((id) => this.#undo(this.#leases.end([id])));
  readonly #nowMs: () => number;
  #expiry: NodeJS.Timeout | undefined;

  constructor(seed: number, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#links = new LinkTable(seed);
    this.#proxy = new LinkProxy(this.#links, nowMs);
  }

  /** @throws UsageError, FaultError: what the asker is told */
  async answer(request: AgentRequest): Promise<AgentAnswer<AgentOp>> {
    switch (request.op) {
      case 'open':
        return { routes: [...(await this.#proxy.open(request.members))] };
      case 'profile':
        return this.#profile(request);
      case 'apply':
        return this.#apply(request);
      case 'renew':
        return this.#renew(request);
      case 'revert':
        return this.#revert(request);
      case 'standing':
        return this.#standing();
      case 'probe':
        this.#checkEdges([request.edge, [request.edge[1], request.edge[0]]]);
        return await runProbes(this.#proxy, request, this.#nowMs);
      case 'counters':
        return this.#counters();
    }
  }

  /** Ends every fault. For the end of the process, on whichever way; synchronous, so that nothing comes between. */
  close(): void {
    clearTimeout(this.#expiry);
    this.#paused.resumeAll();
    this.#proxy.close();
  }

  #profile({ links }: RequestOf<'profile'>): AgentAnswer<'profile'> {
    this.#checkEdges(links.map(({ edge }) => edge));
    for (const { edge, figures } of links) this.#links.setBase(edge, figuresFromWire(figures));
    this.#links.refresh(this.#leases.all());
    return {};
  }

  #apply({ lease: { id, ttl_ms, spec } }: RequestOf<'apply'>): AgentAnswer<'apply'> {
    if (spec.kind !== 'pause') this.#checkEdges(spec.edges);
    const applied = this.#leases.apply({ id, spec, ttlMs: ttl_ms }, this.#nowMs());
    if (applied === undefined) throw new FaultError('TOO_MANY_LEASES', `no room for lease ${id}`);
    this.#watchExpiry();
    if (applied.outcome === 'stood') return {};
    if (spec.kind !== 'pause') {
      this.#links.refresh(this.#leases.all());
      return {};
    }
    try {
      this.#paused.pause(id, spec.pid);
    } catch (error) {
      this.#leases.end([id]);
      throw error;
    }
    return {};
  }

  #renew({ ids, ttl_ms }: RequestOf<'renew'>): AgentAnswer<'renew'> {
    const gone = this.#leases.renew(ids, ttl_ms, this.#nowMs());
    this.#watchExpiry();
    return { gone: [...gone] };
  }

  #revert({ ids }: RequestOf<'revert'>): AgentAnswer<'revert'> {
    this.#undo(this.#leases.end(ids));
    return {};
  }

  #standing(): AgentAnswer<'standing'> {
    const nowMs = this.#nowMs();
    this.#undo(this.#leases.expire(nowMs));
    return {
      leases: this.#leases.all().map(({ id, spec, expiresAtMs, matchedPackets }) => ({
        id,
        spec,
        remaining_ms: expiresAtMs - nowMs,
        matched_packets: matchedPackets,
      })),
    };
  }

  #counters(): AgentAnswer<'counters'> {
    return {
      foreign_datagrams: this.#proxy.foreignDatagrams,
      send_errors: this.#proxy.sendErrors,
      links: this.#links.all().map(({ edge, link: { counters } }) => ({
        edge: [...edge],
        offered: counters.offered,
        delivered: counters.delivered,
        delivered_bytes: counters.deliveredBytes,
        lost: counters.lost,
        queue_full: counters.queueFull,
        overflow: counters.overflow,
        cut: counters.cut,
        reordered: counters.reordered,
      })),
    };
  }

  #undo(ended: readonly HeldLease<AgentLeaseSpec>[]): void {
    if (ended.length === 0) return;
    this.#links.refresh(this.#leases.all()); // first: it cannot fail, and letting a process go on can
    this.#watchExpiry();
    for (const { id } of ended) this.#paused.resume(id);
  }

  #watchExpiry(): void {
    clearTimeout(this.#expiry);
    const nextMs = this.#leases.nextExpiryMs;
    if (nextMs === undefined) return;
    this.#expiry = setTimeout(
      () => {
        this.#undo(this.#leases.expire(this.#nowMs()));
        this.#watchExpiry(); // a timer may fire a little early
      },
      Math.max(1, nextMs - this.#nowMs()),
    );
  }

  #checkEdges(edges: readonly Edge[]): void {
    const unknown = edges.find((edge) => this.#links.get(edge) === undefined);
    if (unknown !== undefined) throw new UsageError('UNKNOWN_LINK', `no link ${unknown[0]}→${unknown[1]}`);
  }
}
