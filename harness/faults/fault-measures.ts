import pLimit from 'p-limit';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { FaultMeasured } from '../../proofs/fault-records.ts';
import type { Edge, FaultRequest } from '../../scenarios/faults.ts';
import type { FaultDriver, Lease } from './fault-driver.ts';
import { edgesOf, hostsOf, targetsOf } from './fault-leases.ts';

const PROBES = 3; // a lost one is no proof, three are
const CONTROL_EDGES_MAX = 4;
const CONCURRENT = 8;
/** For all probes of one edge, which may be slow on purpose. */
const MEASURE_BUDGET_MS = 12_000;

export interface MeasureModules {
  readonly driver: Pick<FaultDriver, 'probe' | 'matchedPackets' | 'processState'>;
  readonly nodes: readonly string[];
  /** The process that answers at a node now; null when none does. */
  readonly bootIdOf: (node: string, signal: AbortSignal) => Promise<string | null>;
}

export interface MeasuredFault {
  readonly id: string;
  readonly request: FaultRequest;
  readonly leases: readonly Lease[];
}

/**
 * Edges that must not feel the fault: from each target to a node that it must still reach, then edges between others. A
 * probe goes both ways, so the way back of a harmed edge is none.
 */
function controlEdges(request: FaultRequest, nodes: readonly string[]): readonly Edge[] {
  const harmed = new Set(edgesOf(request).flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));
  if (harmed.size === 0) return [];
  const targets = targetsOf(request);
  const sources = [...targets, ...nodes.filter((node) => !targets.includes(node))];
  const chosen: Edge[] = [];
  const taken = new Set<string>();
  for (const from of sources) {
    const to = nodes.find(
      (node) => node !== from && !harmed.has(`${from} ${node}`) && !taken.has(`${node} ${from}`),
    );
    if (to === undefined) continue;
    taken.add(`${from} ${to}`);
    chosen.push([from, to]);
    if (chosen.length === CONTROL_EDGES_MAX) break;
  }
  return chosen;
}

/**
 * Looks at every place of the fault once: probes of its edges and of the controls, counters of its rules, states of its
 * processes. What cannot be had is a measurement that says why.
 */
export async function measureFault(
  { driver, nodes, bootIdOf }: MeasureModules,
  { id, request, leases }: MeasuredFault,
  phase: FaultMeasured['phase'],
  signal: AbortSignal,
): Promise<readonly FaultMeasured[]> {
  const limit = pLimit(CONCURRENT);
  const blank = { type: 'fault_measured', fault_id: id, phase, edge: null, node: null } as const;
  const nothing = { probes: null, matched_packets: null, process: null, unreadable: null };

  const taken = async (base: Pick<FaultMeasured, 'role' | 'edge' | 'node'>, what: Partial<Looks>) => {
    const problems: string[] = [];
    const tried = async <T>(look: ((within: AbortSignal) => Promise<T>) | undefined): Promise<T | null> => {
      if (look === undefined) return null;
      try {
        return await withinBudget(`a look at fault ${id}`, MEASURE_BUDGET_MS, look, signal);
      } catch (error) {
        signal.throwIfAborted();
        problems.push(`${codeOf(error)}: ${messageOf(error)}`);
        return null;
      }
    };
    const [probe, matched, process, bootId] = await Promise.all([
      tried(what.probe),
      tried(what.matched),
      tried(what.process),
      tried(what.bootId),
    ]);
    return {
      ...blank,
      ...nothing,
      ...base,
      probes:
        probe === null || probe.sent === 0
          ? null
          : { sent: probe.sent, answered: probe.answered, rtt_ms: probe.rttMs },
      matched_packets: matched,
      process: process === null ? null : { state: process.state, boot_id: bootId },
      unreadable: problems.length === 0 ? null : problems.join('; '),
    };
  };

  const edgeLooks = (role: FaultMeasured['role'], [from, to]: Edge) =>
    limit(() => {
      const carrier = request.kind === 'cut' ? to : from;
      const lease =
        role === 'faulted' && phase === 'during' ? leases.find(({ spec }) => spec.at === carrier) : undefined;
      return taken(
        { role, edge: [from, to], node: null },
        {
          probe: (within) => driver.probe(from, to, PROBES, within),
          ...(lease && {
            matched: (within: AbortSignal) => driver.matchedPackets(lease.spec.at, lease.id, within),
          }),
        },
      );
    });
  const processLooks = (node: string) =>
    limit(() =>
      taken(
        { role: 'faulted', edge: null, node },
        {
          process: (within) => driver.processState(node, 'node', within),
          bootId: (within) => bootIdOf(node, within),
        },
      ),
    );
  if (edgesOf(request).length === 0) return await Promise.all(hostsOf(request).map(processLooks));
  return await Promise.all([
    ...edgesOf(request).map((edge) => edgeLooks('faulted', edge)),
    ...controlEdges(request, nodes).map((edge) => edgeLooks('control', edge)),
  ]);
}

interface Looks {
  readonly probe: (within: AbortSignal) => ReturnType<FaultDriver['probe']>;
  readonly matched: (within: AbortSignal) => Promise<number | null>;
  readonly process: (within: AbortSignal) => ReturnType<FaultDriver['processState']>;
  readonly bootId: (within: AbortSignal) => Promise<string | null>;
}
