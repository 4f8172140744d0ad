import pLimit from 'p-limit';
import { type Clock, realClock } from '../../kit/clock.ts';
import { codeOf, messageOf } from '../../kit/errors.ts';
import type { EvidenceRecord } from '../../proofs/evidence.ts';
import { isSeen, missing, type Observation, seen } from '../../proofs/observation.ts';
import type { PeerView } from '../../proofs/scenario-records.ts';
import type { LogHead, MeshAccess, NodeInside, NodeLook } from '../../scenarios/mesh-access.ts';
import type { MeshHost } from '../fleet/mesh-host.ts';
import type { ControlChannel } from '../matrix/control-channel.ts';
import type { Identity } from '../matrix/phase-a.ts';
import { peerViewOf } from './peer-view.ts';

/** A node that does not answer within this is not seen; a few of them fit the shortest wait of any scenario. */
const ANSWER_BUDGET_MS = 4_000;
const CLOCK_BUDGET_MS = 5_000;
const CONCURRENT = 16;

export interface MeshViewModules {
  readonly hosts: readonly MeshHost[];
  readonly identities: ReadonlyMap<string, Identity>;
  readonly channel: Pick<ControlChannel, 'call'>;
  readonly record: (record: EvidenceRecord) => Promise<void>;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** What nodes say when a scenario asks them. Silence is an observation; only the end of the run is thrown. */
export class MeshView implements MeshAccess {
  readonly #at: { readonly window: number; readonly scenario: string };
  readonly #modules: MeshViewModules;
  readonly #clock: Clock;

  constructor(at: { readonly window: number; readonly scenario: string }, modules: MeshViewModules) {
    this.#at = at;
    this.#modules = modules;
    this.#clock = modules.clock ?? realClock;
  }

  identityOf(node: string): Identity {
    const identity = this.#modules.identities.get(node);
    if (identity === undefined) throw new Error(`${node} was never identified`);
    return identity;
  }

  look(node: string): Promise<Observation<NodeLook>> {
    return this.#ask(node, async (host, call) => {
      const [gossip, connectivity] = await Promise.all([
        host.node.document('gossip', call),
        host.node.document('connectivity', call),
      ]);
      const { boot_id, uptime_secs } = gossip.body;
      if (boot_id !== connectivity.body.boot_id) {
        return missing('unreadable', `${node} restarted between two of its documents`);
      }
      return seen({ epoch: { boot_id, uptime_secs }, gossip: gossip.body, connectivity: connectivity.body });
    });
  }

  inspect(node: string): Promise<Observation<NodeInside>> {
    return this.#ask(node, async (host, call) => {
      const [gossip, transport, runtime] = await Promise.all([
        host.node.document('gossip', call),
        host.node.document('transport', call),
        host.node.document('runtime', call),
      ]);
      const { boot_id, uptime_secs } = gossip.body;
      if ([transport, runtime].some(({ body }) => body.boot_id !== boot_id)) {
        return missing('unreadable', `${node} restarted between two of its documents`);
      }
      const epoch = { boot_id, uptime_secs };
      const { body } = transport;
      return seen({ epoch, gossip: gossip.body, transport: body.transport, runtime: runtime.body });
    });
  }

  async viewPeer(
    target: string,
    { observers, label }: { readonly observers: readonly string[]; readonly label: string },
  ): Promise<readonly PeerView[]> {
    const { machineId } = this.identityOf(target);
    const limit = pLimit(CONCURRENT);
    return await Promise.all(
      observers.map((observer) =>
        limit(async () => {
          const atWallMs = this.#clock.wallMs();
          const found = await this.look(observer);
          const view: PeerView = {
            type: 'peer_view',
            ...this.#at,
            label,
            at_wall_ms: atWallMs,
            observer,
            target,
            ...(isSeen(found)
              ? {
                  boot_id: found.seen.epoch.boot_id,
                  view: peerViewOf(found.seen.gossip, found.seen.connectivity, machineId),
                  unreadable: null,
                }
              : { boot_id: null, view: null, unreadable: found.why }),
          };
          await this.#modules.record(view);
          return view;
        }),
      ),
    );
  }

  async isMeshed(node: string, peers: readonly string[]): Promise<boolean> {
    const found = await this.#ask(node, async (host, call) => {
      const [health, links] = await Promise.all([host.node.health(call), host.node.peers(call)]);
      const linked = new Set(links.peers.map(({ id }) => id));
      const all = peers.every((peer) => peer === node || linked.has(this.identityOf(peer).machineId));
      return seen(health.status === 'healthy' && all);
    });
    return isSeen(found) && found.seen;
  }

  appendLog(node: string, topic: string, payload: Uint8Array): Promise<Observation<LogHead>> {
    return this.#ask(node, async (host, call) => headOf(await host.node.appendLog(topic, payload, call)));
  }

  logHead(node: string, topic: string): Promise<Observation<LogHead>> {
    return this.#ask(node, async (host, call) => headOf(await host.node.logHead(topic, call)));
  }

  async clockOffset(
    node: string,
  ): Promise<Observation<{ readonly offsetMs: number; readonly uncertaintyMs: number }>> {
    const { channel, signal } = this.#modules;
    const askedMs = this.#clock.wallMs();
    try {
      const reply = await channel.call(node, 'noop_ack', {}, { budgetMs: CLOCK_BUDGET_MS, signal });
      const uncertaintyMs = (this.#clock.wallMs() - askedMs) / 2;
      return seen({ offsetMs: reply.ts_ms - (askedMs + uncertaintyMs), uncertaintyMs });
    } catch (error) {
      signal.throwIfAborted();
      return missing(
        'unreadable',
        `the runner of ${node} did not tell its time: ${codeOf(error)}: ${messageOf(error)}`,
      );
    }
  }

  async #ask<T>(
    node: string,
    question: (host: MeshHost, call: { timeoutMs: number; signal: AbortSignal }) => Promise<Observation<T>>,
  ): Promise<Observation<T>> {
    const { hosts, signal } = this.#modules;
    const host = hosts.find(({ name }) => name === node);
    if (host === undefined) throw new Error(`${node} is not a node of this fleet`);
    try {
      return await question(host, { timeoutMs: ANSWER_BUDGET_MS, signal });
    } catch (error) {
      signal.throwIfAborted();
      return missing('unreadable', `${node}: ${codeOf(error)}: ${messageOf(error)}`);
    }
  }
}

function headOf(head: { readonly height: number; readonly head_hash: string }): Observation<LogHead> {
  return seen({ height: head.height, headHash: head.head_hash });
}
