import { VirtualClock } from '../kit/clock.ts';
import { sha256Hex } from '../kit/hash.ts';
import { Random } from '../kit/random.ts';
import type { PairOutcome } from '../proofs/evidence.ts';
import { missing, type Observation, seen } from '../proofs/observation.ts';
import { SCENARIO_MEASURES } from '../proofs/scenario-measures.ts';
import type { PeerView } from '../proofs/scenario-records.ts';
import type { Edge, FaultRequest, Faults, HeldFault } from './faults.ts';
import { outcomeOf, runToItsEnd } from './fixture-scenario.ts';
import type { LogHead, MeshAccess, NodeLook } from './mesh-access.ts';
import type { BurstPlan, MatrixAccess, Scenario, ScenarioContext } from './scenario.ts';

/** What the mesh of a test does when it is harmed; by default it bears everything. */
export interface FixtureBehaviour {
  readonly faulted?: (mesh: FixtureMesh, request: FaultRequest) => void;
  readonly reverted?: (mesh: FixtureMesh, request: FaultRequest) => void;
}

interface Figure {
  readonly name: string;
  readonly value: number | null;
  readonly node?: string;
  readonly peer?: string;
  readonly why?: string;
}

const MESSAGE_TAKES_MS = 20;
const ANSWER_TAKES_MS = 1;

const edge = (from: string, to: string) => `${from} ${to}`;
const idOf = (node: string) => sha256Hex(node);

/** Test-only: a mesh of names on a virtual clock, whose links, coolings and logs a test moves as it likes. */
export class FixtureMesh {
  readonly clock = new VirtualClock();
  readonly nodes: readonly string[];
  readonly figures: Figure[] = [];
  /** Labels of looks at a peer and of sends, each with the time it was made. */
  readonly seenAs: { readonly label: string; readonly atMs: number }[] = [];
  readonly faults: FaultRequest[] = [];
  readonly bursts: BurstPlan[] = [];
  /** Links are up unless named here. */
  readonly down = new Set<string>();
  readonly generations = new Map<string, number>();
  readonly coolings = new Map<string, number>();
  readonly suppressing = new Set<string>();
  readonly unreadable = new Set<string>();
  readonly logs = new Map<string, number>();
  readonly boots = new Map<string, number>();
  published = 0;
  /** Comparisons of caches that each node has had with each other one. */
  compared = 1;
  readonly #behaviour: FixtureBehaviour;

  constructor(nodes: readonly string[], behaviour: FixtureBehaviour = {}) {
    this.nodes = nodes;
    this.#behaviour = behaviour;
  }

  /** Does it at a later time of the mesh's clock. */
  after(ms: number, act: () => void): void {
    void this.clock.sleep(ms).then(act);
  }

  cool(observer: string, peer: string): void {
    this.coolings.set(edge(observer, peer), (this.coolings.get(edge(observer, peer)) ?? 0) + 1);
    this.suppressing.add(edge(observer, peer));
  }

  unlink(a: string, b: string): void {
    for (const one of [edge(a, b), edge(b, a)]) this.down.add(one);
  }

  relink(a: string, b: string): void {
    for (const one of [edge(a, b), edge(b, a)]) {
      this.down.delete(one);
      this.generations.set(one, (this.generations.get(one) ?? 1) + 1);
    }
  }

  /** Runs the scenario to its end, the clock moving by itself. Gives its figures as `name` or `name node`. */
  async run(scenario: Scenario, options: unknown = {}): Promise<Readonly<Record<string, number | null>>> {
    await runToItsEnd(scenario, options, this.#context(scenario.name), this.clock);
    return Object.fromEntries(
      this.figures.map(({ name, node, value }) => [node === undefined ? name : `${name} ${node}`, value]),
    );
  }

  /** Why the figure is what it is. */
  whyOf(name: string, node?: string): string {
    return this.figures.find((one) => one.name === name && one.node === node)?.why ?? '';
  }

  #context(scenario: string): ScenarioContext {
    const refuse = () => Promise.reject(new Error('not in this mesh'));
    return {
      window: 1,
      fleet: { anchor: this.nodes[0] ?? '', nodes: this.nodes },
      clock: this.clock,
      random: new Random(7),
      signal: new AbortController().signal,
      record: async () => {},
      measure: async (figure) => {
        if (SCENARIO_MEASURES[scenario]?.[figure.name] === undefined)
          throw new Error(`${figure.name} is not declared`);
        this.figures.push(figure);
      },
      mesh: this.#access(scenario),
      matrix: this.#matrix(scenario),
      faults: this.#faults(),
      outsiders: { join: refuse },
      upgrades: { stage: refuse },
    };
  }

  #isUp(from: string, to: string): boolean {
    return !this.down.has(edge(from, to));
  }

  #look(node: string): Observation<NodeLook> {
    if (this.unreadable.has(node)) return missing('unreadable', `${node} does not answer`);
    const peers = this.nodes.filter((other) => other !== node);
    // Only what scenarios read of these long documents.
    const documents = {
      epoch: { boot_id: `${node}-${this.boots.get(node) ?? 1}`, uptime_secs: this.clock.nowMs() / 1_000 },
      gossip: {
        stats: { publish_total: this.published },
        pubsub_stages: {
          peer_scores: peers.map((peer) => ({
            peer_id: idOf(peer),
            topic: 't',
            cooling_events: this.coolings.get(edge(node, peer)) ?? 0,
          })),
        },
      },
      connectivity: {
        per_peer_transport: peers
          .filter((peer) => this.#isUp(node, peer))
          .map((peer) => ({
            peer_id: idOf(peer),
            connected: true,
            generation: this.generations.get(edge(node, peer)) ?? 1,
          })),
      },
    };
    return seen(documents as unknown as NodeLook);
  }

  #view(scenario: string, observer: string, target: string, label: string): PeerView {
    const place = { type: 'peer_view', window: 1, scenario, label, at_wall_ms: this.clock.wallMs() } as const;
    const coolings = this.coolings.get(edge(observer, target)) ?? 0;
    if (this.unreadable.has(observer)) {
      const unreadable = `${observer} does not answer`;
      return { ...place, observer, target, boot_id: null, view: null, unreadable };
    }
    const isHeld = this.suppressing.has(edge(observer, target));
    return {
      ...place,
      observer,
      target,
      boot_id: `${observer}-${this.boots.get(observer) ?? 1}`,
      unreadable: null,
      view: {
        connected: this.#isUp(observer, target),
        generation: this.generations.get(edge(observer, target)) ?? 1,
        rtt_ms: 1,
        score_entries: 1,
        suppressed_entries: isHeld ? 1 : 0,
        suppressed_states: {},
        suppressed_topics: isHeld ? ['t'] : [],
        roles: {},
        eager_eligible: 1,
        score_min: 1,
        score_avg: 1,
        score_max: 1,
        send_health_avg: 1,
        send_timeouts_total: 5 * coolings,
        cooling_events_total: coolings,
        anti_entropy_rounds_total: this.compared,
        anti_entropy_repaired_total: 0,
      },
    };
  }

  #access(scenario: string): MeshAccess {
    const { clock } = this;
    const answer = async <T>(value: () => T): Promise<T> => {
      await clock.sleep(ANSWER_TAKES_MS);
      return value();
    };
    const head = (node: string): Observation<LogHead> => {
      if (this.unreadable.has(node)) return missing('unreadable', `${node} does not answer`);
      const height = this.logs.get(node) ?? 0;
      return seen({ height, headHash: `head ${height}` });
    };
    return {
      identityOf: (node) => ({ agentId: idOf(`agent ${node}`), machineId: idOf(node) }),
      look: (node) => answer(() => this.#look(node)),
      inspect: () => answer(() => missing('absent', 'not in this mesh')),
      viewPeer: (target, { observers, label }) =>
        answer(() => {
          this.seenAs.push({ label, atMs: clock.nowMs() });
          return observers.map((observer) => this.#view(scenario, observer, target, label));
        }),
      isMeshed: (node, peers) =>
        answer(
          () => !this.unreadable.has(node) && peers.every((peer) => peer === node || this.#isUp(node, peer)),
        ),
      appendLog: (node) =>
        answer(() => {
          if (this.unreadable.has(node)) return head(node);
          // Every log holds it at once, but for those of nodes that cannot be reached.
          for (const other of this.nodes) {
            if (other === node || this.#isUp(node, other))
              this.logs.set(other, (this.logs.get(other) ?? 0) + 1);
          }
          return head(node);
        }),
      logHead: (node) => answer(() => head(node)),
      clockOffset: () => answer(() => seen({ offsetMs: 0, uncertaintyMs: 1 })),
    };
  }

  #matrix(scenario: string): MatrixAccess {
    const send = async (pairs: readonly Edge[], label: string) => {
      this.seenAs.push({ label, atMs: this.clock.nowMs() });
      await this.clock.sleep(MESSAGE_TAKES_MS);
      return pairs.map(([from, to]) => this.#outcome(scenario, from, to));
    };
    return {
      phaseA: () => send([], 'phase A'),
      send: (pairs, { label }) => send(pairs, label),
      burst: async (plan) => {
        this.bursts.push(plan);
        await this.clock.sleep(plan.messages * plan.delayMs);
        return [];
      },
    };
  }

  #outcome(scenario: string, from: string, to: string): PairOutcome {
    const isWell = this.#isUp(from, to) && !this.unreadable.has(from) && !this.unreadable.has(to);
    return outcomeOf(scenario, [from, to], isWell ? 'delivered' : 'lost');
  }

  #faults(): Faults {
    const hold = async (request: FaultRequest): Promise<HeldFault> => {
      this.faults.push(request);
      this.#behaviour.faulted?.(this, request);
      let ended: Promise<{ readonly endedAtMs: number }> | undefined;
      const revert = () => {
        if (ended === undefined) this.#behaviour.reverted?.(this, request);
        ended ??= Promise.resolve({ endedAtMs: this.clock.nowMs() });
        return ended;
      };
      return { id: 'f1', revert, [Symbol.asyncDispose]: async () => void (await (ended ?? revert())) };
    };
    return {
      cut: (request) => hold({ kind: 'cut', ...request }),
      shape: (request) => hold({ kind: 'shape', ...request }),
      pause: (node) => hold({ kind: 'pause', node }),
      stop: (node) => hold({ kind: 'stop', node }),
      restart: () => Promise.reject(new Error('not in this mesh')),
    };
  }
}
