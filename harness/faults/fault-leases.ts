import { sha256Hex } from '../../kit/hash.ts';
import type { FaultKind } from '../../proofs/fault-records.ts';
import type { Harm } from '../../proofs/safety-schema.ts';
import type { Edge, FaultRequest } from '../../scenarios/faults.ts';
import type { Lease, LeaseSpec } from './fault-driver.ts';

/** The leave that each kind of fault needs. */
export const HARM_OF: Readonly<Record<FaultKind, Harm>> = {
  cut: 'partition',
  shape: 'netem',
  pause: 'pause',
  stop: 'pause',
  restart: 'restart',
};

export function edgesOf(request: FaultRequest): readonly Edge[] {
  return 'edges' in request ? request.edges : [];
}

/** The hosts that carry a part of the fault. */
export function hostsOf(request: FaultRequest): readonly string[] {
  switch (request.kind) {
    case 'cut':
      return [...new Set(request.edges.map(([, to]) => to))];
    case 'shape':
      return [...new Set(request.edges.map(([from]) => from))];
    case 'pause':
    case 'stop':
      return [request.node];
    case 'restart':
      return [...new Set(request.nodes)];
  }
}

/** One lease per host that has to do something; none for a momentary fault. */
export function leasesOf(request: FaultRequest, faultId: string, ttlMs: number): readonly Lease[] {
  if (request.kind === 'restart') return [];
  return hostsOf(request).map((at) => ({ id: leaseIdOf(faultId, at), spec: specAt(request, at), ttlMs }));
}

/** As much as a fault program takes for an id. */
const LEASE_ID_MAX = 64;

/** Readable where it fits; the name of a host alone may be nearly as long as an id, and is cut short by its digest then. */
function leaseIdOf(faultId: string, at: string): string {
  const whole = `${faultId}.${at}`;
  if (whole.length <= LEASE_ID_MAX) return whole;
  const digest = sha256Hex(whole).slice(0, 16);
  return `${whole.slice(0, LEASE_ID_MAX - digest.length - 1)}-${digest}`;
}

function specAt(request: Exclude<FaultRequest, { kind: 'restart' }>, at: string): LeaseSpec {
  switch (request.kind) {
    case 'cut': {
      const peers = request.edges.filter(([, to]) => to === at).map(([from]) => from);
      return {
        kind: 'cut',
        at,
        peers: [...new Set(peers)],
        largerThanBytes: request.largerThanBytes ?? null,
        flows: request.flows ?? 'all',
      };
    }
    case 'shape': {
      const peers = request.edges.filter(([from]) => from === at).map(([, to]) => to);
      return {
        kind: 'shape',
        at,
        peers: [...new Set(peers)],
        delayMs: request.delayMs ?? 0,
        jitterMs: request.jitterMs ?? 0,
        lossRatio: request.lossRatio ?? 0,
        rateKbit: request.rateKbit ?? null,
      };
    }
    case 'pause':
    case 'stop':
      return { kind: request.kind, at, role: 'node' };
  }
}

/** The figures of a request as evidence keeps them. */
export function specRecord(request: FaultRequest): Record<string, number | string> {
  const figures: Readonly<Record<string, number | string | undefined>> =
    request.kind === 'cut'
      ? { larger_than_bytes: request.largerThanBytes, flows: request.flows }
      : request.kind === 'shape'
        ? {
            delay_ms: request.delayMs,
            jitter_ms: request.jitterMs,
            loss_ratio: request.lossRatio,
            rate_kbit: request.rateKbit,
          }
        : {};
  return Object.fromEntries(
    Object.entries(figures).filter((entry): entry is [string, number | string] => entry[1] !== undefined),
  );
}

/** How many nodes each node loses sight of, wholly or in part. */
function harmedNeighbours(edges: readonly Edge[]): Map<string, Set<string>> {
  const neighbours = new Map<string, Set<string>>();
  for (const [a, b] of edges) {
    neighbours.set(a, (neighbours.get(a) ?? new Set()).add(b));
    neighbours.set(b, (neighbours.get(b) ?? new Set()).add(a));
  }
  return neighbours;
}

/**
 * The nodes that suffer it most, and that objectives may exempt. For processes those that are named; for links those
 * with the most harmed neighbours: the one slow node, the smaller side of a split, both ends of a single edge, and both
 * sides of an even split.
 */
export function targetsOf(request: FaultRequest): readonly string[] {
  if (!('edges' in request)) return hostsOf(request);
  const neighbours = harmedNeighbours(request.edges);
  const most = Math.max(0, ...[...neighbours.values()].map(({ size }) => size));
  return [...neighbours].filter(([, { size }]) => size === most).map(([node]) => node);
}

/**
 * The fewest nodes that the harm can be put down to: every harmed edge touches one of them. This is what "at most a
 * third" and "never the anchor" count: one for a single edge, the smaller side for a split, either side of an even one (the
 * one without the anchor). Greedy, which is exact for edges, stars and splits.
 */
export function faultedNodes(request: FaultRequest, anchor: string): readonly string[] {
  if (!('edges' in request)) return hostsOf(request);
  const chosen: string[] = [];
  for (let left: readonly Edge[] = request.edges; left.length > 0; ) {
    const ranked = [...harmedNeighbours(left)].toSorted(
      ([a, { size: of }], [b, { size: other }]) => other - of || Number(a === anchor) - Number(b === anchor),
    );
    const next = ranked[0]?.[0];
    if (next === undefined) break;
    chosen.push(next);
    left = left.filter(([a, b]) => a !== next && b !== next);
  }
  return chosen;
}
