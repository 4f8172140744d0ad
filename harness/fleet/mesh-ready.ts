import { type Clock, realClock } from '../../kit/clock.ts';
import { Deadline } from '../../kit/deadline.ts';
import { FaultError, messageOf } from '../../kit/errors.ts';
import type { AgentBody, HealthBody, PeersBody } from '../../node/api/schema/status.ts';
import type { CallOptions } from '../../node/client.ts';
import { isSeen, type Observation } from '../../proofs/observation.ts';
import type { MeshHost } from './mesh-host.ts';

const POLL_MS = 100;
/** A node binds its port before it serves: one that calls itself healthy and holds none for this long never will. */
const UNBOUND_AFTER_MS = 5_000;

/** What of a host is looked at. */
export interface ReadyHost extends Pick<MeshHost, 'name' | 'udpAddress' | 'udpPortBound'> {
  readonly node: {
    health(options: CallOptions): Promise<Pick<HealthBody, 'status' | 'degraded_reason'>>;
    agent(options: CallOptions): Promise<Pick<AgentBody, 'machine_id'>>;
    peers(options: CallOptions): Promise<Pick<PeersBody, 'peers'>>;
  };
}

/** What one look at a host found; `problem` is null when it is ready. */
interface HostState {
  readonly host: ReadyHost;
  readonly machineId: string | null;
  readonly peers: ReadonlySet<string>;
  readonly problem: string | null;
  /** Waiting does not mend the problem, unless it was a glimpse between two states. */
  readonly isUnbound: boolean;
}

/** The whole mesh stands. */
export interface ReadyMesh {
  readonly afterMs: number;
  readonly liveLinks: number;
}

/**
 * Waits for the real mesh: every node healthy, its UDP port bound by its own process (where the platform can tell),
 * and a live connection to each of the others. A node that says it is well without its port is waited for 5 s only.
 * @throws FaultError `MESH_NOT_READY`, naming who lacks whom
 */
export async function waitForMesh(
  hosts: readonly ReadyHost[],
  { budgetMs, signal, clock = realClock }: { budgetMs: number; signal: AbortSignal; clock?: Clock },
): Promise<ReadyMesh> {
  const startedMs = clock.nowMs();
  const deadline = Deadline.in(budgetMs, clock);
  const boundMs = new Map<string, number>(); // when each was last seen without that problem
  for (;;) {
    const states = await Promise.all(hosts.map((host) => look(host, deadline.remainingMs(), signal)));
    const lacks = states.map((state) => ({ node: state.host.name, why: lackOf(state, states) }));
    const open = lacks.filter(({ why }) => why !== null);
    if (open.length === 0) {
      const liveLinks = states.reduce((links, { peers }) => links + peers.size, 0);
      return { afterMs: clock.nowMs() - startedMs, liveLinks };
    }
    const nowMs = clock.nowMs();
    for (const { host, isUnbound } of states)
      if (!isUnbound || !boundMs.has(host.name)) boundMs.set(host.name, nowMs);
    const isHopeless = states.some(
      ({ host }) => nowMs - (boundMs.get(host.name) ?? nowMs) >= UNBOUND_AFTER_MS,
    );
    if (isHopeless || deadline.remainingMs() <= POLL_MS) {
      const text = open.map(({ node, why }) => `${node} ${why}`).join('; ');
      throw new FaultError(
        'MESH_NOT_READY',
        `no full mesh within ${Math.round(nowMs - startedMs)} ms: ${text}`,
        {
          details: {
            budget_ms: budgetMs,
            lacks: Object.fromEntries(open.map(({ node, why }) => [node, why])),
          },
        },
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function look(host: ReadyHost, timeoutMs: number, signal: AbortSignal): Promise<HostState> {
  try {
    const [health, agent, peers, bound] = await Promise.all([
      host.node.health({ signal, timeoutMs }),
      host.node.agent({ signal, timeoutMs }),
      host.node.peers({ signal, timeoutMs }),
      host.udpPortBound(),
    ]);
    const problem =
      health.status !== 'healthy'
        ? `is ${health.status}: ${health.degraded_reason ?? 'no reason given'}`
        : unboundBecause(bound, host.udpAddress);
    return {
      host,
      machineId: agent.machine_id,
      peers: new Set(peers.peers.map(({ id }) => id)),
      problem,
      isUnbound: health.status === 'healthy' && isSeen(bound) && !bound.seen,
    };
  } catch (error) {
    signal.throwIfAborted();
    const problem = `does not answer: ${messageOf(error)}`;
    return { host, machineId: null, peers: new Set(), problem, isUnbound: false };
  }
}

/** Only a platform that cannot tell at all (absent) is no objection; what could not be read might be unbound. */
function unboundBecause(bound: Observation<boolean>, address: string): string | null {
  if (isSeen(bound)) return bound.seen ? null : `has not bound UDP ${address}`;
  return bound.missing === 'absent' ? null : `cannot be seen to hold UDP ${address}: ${bound.why}`;
}

function lackOf(state: HostState, all: readonly HostState[]): string | null {
  if (state.problem !== null) return state.problem;
  const without = all
    .filter((other) => other !== state && (other.machineId === null || !state.peers.has(other.machineId)))
    .map((other) => other.host.name);
  return without.length === 0 ? null : `has no live connection to ${without.join(', ')}`;
}
