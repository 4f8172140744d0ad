import { VirtualClock } from '../kit/clock.ts';
import { sha256Hex } from '../kit/hash.ts';
import { Random } from '../kit/random.ts';
import type { BurstDelivery, EvidenceRecord, PairOutcome } from '../proofs/evidence.ts';
import { missing, type Observation, seen } from '../proofs/observation.ts';
import { SCENARIO_MEASURES } from '../proofs/scenario-measures.ts';
import { outcomeOf, runToItsEnd } from './fixture-scenario.ts';
import type { NodeInside, NodeLook } from './mesh-access.ts';
import type { JoinedOutsiders, OutsiderKind } from './outsiders.ts';
import type { BurstPlan, Scenario, ScenarioContext } from './scenario.ts';

/** One node of the mesh below, whose figures a test moves as it likes. */
interface FixtureNode {
  boot: number;
  bundle: string;
  staged: string | null;
  rssBytes: number;
  dropped: number;
  malformed: number;
  forged: number;
  wrongNetwork: number;
  timeoutsToStrangers: number;
  framesOfStrangers: number;
  strangers: string[];
  suppressed: { readonly peer: string; readonly topic: string }[];
  offsetMs: number;
  answers: 'yes' | 'no';
}

interface Behaviour {
  readonly joined?: (mesh: FixtureService, kinds: readonly OutsiderKind[]) => void;
  readonly left?: (mesh: FixtureService) => void;
  readonly restarted?: (mesh: FixtureService, node: string) => void;
  readonly delivers?: (from: string, to: string) => boolean;
  readonly burst?: (subscriber: string, plan: BurstPlan) => Partial<BurstDelivery>;
}

const MESSAGE_TAKES_MS = 200;

/** Test-only: a mesh of names on a virtual clock, with what its nodes say of their inside, their clocks and their bundles. */
export class FixtureService {
  readonly clock = new VirtualClock();
  readonly nodes: readonly string[];
  readonly inside: ReadonlyMap<string, FixtureNode>;
  readonly figures: Parameters<ScenarioContext['measure']>[0][] = [];
  readonly records: EvidenceRecord[] = [];
  readonly bursts: BurstPlan[] = [];
  readonly #behaviour: Behaviour;

  constructor(nodes: readonly string[], behaviour: Behaviour = {}) {
    this.nodes = nodes;
    this.#behaviour = behaviour;
    this.inside = new Map(nodes.map((node) => [node, freshNode()]));
  }

  node(name: string): FixtureNode {
    const node = this.inside.get(name);
    if (node === undefined) throw new Error(`${name} is not in this mesh`);
    return node;
  }

  machineIdOf(node: string): string {
    return sha256Hex(node);
  }

  /** Runs the scenario to its end, the clock moving by itself. */
  async run(scenario: Scenario, options: unknown = {}): Promise<void> {
    await runToItsEnd(scenario, options, this.#context(scenario.name), this.clock);
  }

  /** Every figure of that name, by node where it is of one. */
  valuesOf(name: string): Readonly<Record<string, number | null>> {
    const own = this.figures.filter((figure) => figure.name === name);
    return Object.fromEntries(own.map(({ node, value, why }) => [node ?? why ?? 'mesh', value]));
  }

  #context(scenario: string): ScenarioContext {
    const ask = <T>(node: string, answer: () => T): Promise<Observation<T>> =>
      Promise.resolve(
        this.node(node).answers === 'yes' ? seen(answer()) : missing('unreadable', `${node} is silent`),
      );
    const refuse = () => Promise.reject(new Error('not in this mesh'));
    return {
      window: 1,
      fleet: { anchor: this.nodes[0] ?? '', nodes: this.nodes },
      clock: this.clock,
      random: new Random(7),
      signal: new AbortController().signal,
      record: async (record) => void this.records.push(record),
      measure: async (figure) => {
        if (SCENARIO_MEASURES[scenario]?.[figure.name] === undefined)
          throw new Error(`${figure.name} is not declared`);
        this.figures.push(figure);
      },
      mesh: {
        identityOf: (node) => ({ agentId: sha256Hex(`agent ${node}`), machineId: this.machineIdOf(node) }),
        look: (node) => ask(node, () => ({ epoch: this.#epoch(node) }) as unknown as NodeLook), // no more of it is read
        inspect: (node) => ask(node, () => this.#inside(node)),
        viewPeer: refuse,
        isMeshed: async (node) => this.node(node).answers === 'yes',
        appendLog: refuse,
        logHead: refuse,
        clockOffset: (node) => ask(node, () => ({ offsetMs: this.node(node).offsetMs, uncertaintyMs: 3 })),
      },
      matrix: {
        phaseA: refuse,
        send: async (pairs) => {
          await this.clock.sleep(MESSAGE_TAKES_MS);
          return pairs.map(([from, to]) => this.#outcome(scenario, from, to));
        },
        burst: async (plan) => {
          this.bursts.push(plan);
          await this.clock.sleep(plan.messages * plan.delayMs);
          return this.nodes.map((subscriber) => this.#delivery(scenario, subscriber, plan));
        },
      },
      faults: {
        cut: refuse,
        shape: refuse,
        pause: refuse,
        stop: refuse,
        restart: async (nodes) => {
          for (const name of nodes) this.#restart(name);
          return new Map(nodes.map((name) => [name, { atMs: this.clock.nowMs() }]));
        },
      },
      outsiders: { join: async ({ kinds }) => this.#join(kinds) },
      upgrades: {
        stage: async (name) => {
          const node = this.node(name);
          node.staged = node.bundle === 'old' ? 'new' : 'old';
          return { bundleSha256: sha256Hex(node.staged) };
        },
      },
    };
  }

  #restart(name: string): void {
    const node = this.node(name);
    node.boot += 1;
    node.bundle = node.staged ?? node.bundle;
    this.#behaviour.restarted?.(this, name);
  }

  #join(kinds: readonly OutsiderKind[]): JoinedOutsiders {
    this.#behaviour.joined?.(this, kinds);
    const counts = {
      dialled: 3,
      handshakes: 2,
      refused: 1,
      lastRefusal: 'DIAL_FAILED',
      framesSent: 9,
      closedByPeer: 1,
    };
    return {
      place: 'a host apart',
      report: async () => kinds.map((kind) => ({ kind, ...counts })),
      [Symbol.asyncDispose]: async () => this.#behaviour.left?.(this),
    };
  }

  #epoch(name: string) {
    return { boot_id: `${name}-${this.node(name).boot}`, uptime_secs: 1 };
  }

  /** Only what scenarios read of these long documents. */
  #inside(name: string): NodeInside {
    const node = this.node(name);
    const stranger = { peer_id: 'ff'.repeat(32), outbound_send_timeouts: node.timeoutsToStrangers };
    const documents = {
      epoch: this.#epoch(name),
      gossip: {
        stats: { slow_subscriber_dropped: node.dropped, incoming_decode_failed: node.forged },
        recv_pump: { per_peer: { ['ff'.repeat(32)]: { pubsub_produced: node.framesOfStrangers } } },
        pubsub_stages: {
          peer_scores: [stranger],
          suppressed_peers: node.suppressed.map(({ peer, topic }) => ({ peer_id: peer, topic })),
        },
      },
      transport: {
        refusals: {
          malformed_frames_total: node.malformed,
          hello_refusals_by_reason: { WRONG_NETWORK: node.wrongNetwork },
        },
        link_proofs: { unanswered_total: 0 },
        peer_entries: node.strangers.map((peer_id) => ({ peer_id })),
      },
      runtime: { rss_bytes: node.rssBytes, bundle_sha256: sha256Hex(node.bundle), version: node.bundle },
    };
    return documents as unknown as NodeInside;
  }

  #outcome(scenario: string, from: string, to: string): PairOutcome {
    const isWell = this.#behaviour.delivers?.(from, to) ?? true;
    return outcomeOf(scenario, [from, to], isWell ? 'delivered' : 'lost');
  }

  #delivery(scenario: string, subscriber: string, plan: BurstPlan): BurstDelivery {
    const { publisher, topic, messages } = plan;
    const whole = {
      planned: messages,
      published: messages,
      delivered: messages,
      duplicates: 0,
      corrupted: 0,
    };
    const place = { type: 'burst_delivery', window: 1, scenario, publisher, subscriber, topic } as const;
    const latency_ms = { p50: 1, p99: 2, max: 3 };
    return { ...place, ...whole, latency_ms, missing_seqs: [], ...this.#behaviour.burst?.(subscriber, plan) };
  }
}

function freshNode(): FixtureNode {
  return {
    boot: 1,
    bundle: 'old',
    staged: null,
    rssBytes: 100 * 1024 * 1024,
    dropped: 0,
    malformed: 0,
    forged: 0,
    wrongNetwork: 0,
    timeoutsToStrangers: 0,
    framesOfStrangers: 0,
    strangers: [],
    suppressed: [],
    offsetMs: 0,
    answers: 'yes',
  };
}
