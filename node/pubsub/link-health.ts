import type { PeerId } from '../transport/transport.ts';
import { CleanupPace } from './cleanup-pace.ts';
import type { ControlFrame } from './control-frame.ts';
import type { Cooling } from './cooling.ts';
import { type EchoOutcome, EchoWatch } from './echo-watch.ts';
import type { GossipEffect } from './gossip-effect.ts';
import { PeerTallies } from './peer-tally.ts';
import { type Priority, priorityOf } from './topic-priority.ts';
import type { TopicTable } from './topic-table.ts';
import type { TreeRoles } from './tree-roles.ts';

interface LinkHealthModules {
  readonly topics: TopicTable;
  readonly cooling: Cooling;
  readonly roles: TreeRoles;
}

/** The id of a probe that consists of an echo alone. */
const ECHO_ONLY = 'echo';

/**
 * Watches what becomes of sends and lets slow links rest, topic by topic: `EchoWatch` tells which sends got through,
 * `Cooling` when a link rests and for how long, and here are the two reasons not to: it is the topic's last link, or
 * the fault is likelier our own.
 */
export class LinkHealth {
  readonly tallies = new PeerTallies();
  readonly cleanup = new CleanupPace();
  readonly #modules: LinkHealthModules;
  readonly #echoes = new EchoWatch();
  readonly counts = { echoTimeouts: 0, sparedAsLast: 0, sparedAsOurFault: 0 };
  /** Messages that a resting link was only told of, by the priority of their topic. */
  readonly withheld: Record<Priority, number> = { critical: 0, normal: 0, bulk: 0 };

  constructor(modules: LinkHealthModules) {
    this.#modules = modules;
  }

  get uncovered(): number {
    return this.#echoes.uncovered;
  }

  get dueMs(): number | undefined {
    const due = Math.min(
      this.#echoes.dueMs ?? Number.POSITIVE_INFINITY,
      this.#modules.cooling.dueMs ?? Number.POSITIVE_INFINITY,
    );
    return due === Number.POSITIVE_INFINITY ? undefined : due;
  }

  peerUp(peer: PeerId, nowMs: number): void {
    this.#echoes.peerUp(peer);
    // The outcome of a probe over the last connection will not come: ask over this one.
    for (const topic of this.#modules.cooling.probing(peer)) this.#echoes.tried(peer, topic, nowMs);
  }

  peerDown(peer: PeerId): void {
    this.#echoes.peerDown(peer);
    this.#modules.cooling.peerDown(peer);
  }

  isSuspect(peer: PeerId): boolean {
    return this.#echoes.isSuspect(peer);
  }

  /** A frame of a verified session came; true when it ends a silence of the link. */
  heard(peer: PeerId, nowMs: number): boolean {
    return this.#echoes.heard(peer, nowMs);
  }

  /** A message goes to these eager links. */
  pushed(topic: string, peers: readonly PeerId[], nowMs: number): void {
    for (const peer of peers) this.#echoes.sent(peer, topic, nowMs);
  }

  /** Announcements go to `peer`; a resting link is not judged by them. */
  announced(peer: PeerId, frame: ControlFrame, nowMs: number): void {
    if (frame.kind !== 'ihave') return;
    for (const { topic } of frame.topics) {
      if (!this.#modules.topics.get(topic)?.isResting(peer)) this.#echoes.sent(peer, topic, nowMs);
    }
  }

  /** Of the resting links those that this one message is to be tried with. */
  probesFor(
    message: { readonly id: string; readonly topic: string },
    { isNeeded, nowMs }: { readonly isNeeded: (peer: PeerId) => boolean; readonly nowMs: number },
  ): PeerId[] {
    const links = this.#modules.topics.get(message.topic);
    if (!links || links.restingCount === 0) return [];
    const probes: PeerId[] = [];
    for (const peer of links.peers()) {
      if (!links.isResting(peer) || !isNeeded(peer)) continue;
      if (this.#probe(peer, message.topic, message.id, nowMs)) probes.push(peer);
      else this.withheld[priorityOf(message.topic)] += 1;
    }
    return probes;
  }

  echoed(peer: PeerId, number: number, nowMs: number): void {
    for (const outcome of this.#echoes.answered(peer, number, nowMs)) this.#settle(outcome, nowMs);
  }

  /** QUIC has taken nothing of what was sent on `topics` until its timeout. */
  stalled(peer: PeerId, topics: ReadonlySet<string>, nowMs: number): readonly GossipEffect[] {
    return this.#timedOut(peer, { topics, isSilent: false }, nowMs);
  }

  tick(nowMs: number): GossipEffect[] {
    const effects = this.#echoes.tick(nowMs).flatMap((outcome) => this.#settle(outcome, nowMs));
    for (const { peer, topic } of this.#modules.cooling.tick(nowMs))
      this.#probe(peer, topic, ECHO_ONLY, nowMs);
    return effects;
  }

  clean(nowMs: number): void {
    if (!this.cleanup.isDue(nowMs)) return;
    const { cooling } = this.#modules;
    const entries = cooling.size;
    this.cleanup.cleaned({ entries, removed: cooling.clean(nowMs) }, nowMs);
  }

  #settle(outcome: EchoOutcome, nowMs: number): readonly GossipEffect[] {
    const { type, peer } = outcome;
    if (type === 'ask') return [{ type: 'control', peer, frame: { kind: 'echo', number: outcome.number } }];
    if (type === 'timedOut') {
      this.counts.echoTimeouts += 1;
      return this.#timedOut(peer, outcome, nowMs);
    }
    for (const topic of outcome.topics) this.#confirmed(peer, topic, nowMs);
    return [];
  }

  #confirmed(peer: PeerId, topic: string, nowMs: number): void {
    const { topics, cooling } = this.#modules;
    const tally = this.tallies.of(peer, topic);
    tally.confirmed.add(1, nowMs);
    if (cooling.confirmed(peer, topic, nowMs) === 'fine') return;
    tally.recover(nowMs);
    topics.get(topic)?.wake(peer);
  }

  #timedOut(
    peer: PeerId,
    { topics, isSilent }: { readonly topics: ReadonlySet<string>; readonly isSilent: boolean },
    nowMs: number,
  ): GossipEffect[] {
    const effects: GossipEffect[] = [];
    for (const topic of topics) {
      const tally = this.tallies.of(peer, topic);
      tally.timedOut(nowMs);
      const verdict = this.#modules.cooling.timedOut(peer, topic, nowMs);
      if (verdict === 'probeFailed') tally.cool(nowMs);
      // A silent peer is likelier dead than slow: five timeouts would take too long.
      if (verdict === 'ripe' || (verdict === 'counted' && isSilent))
        effects.push(...this.#ripe(peer, topic, nowMs));
    }
    return effects;
  }

  #ripe(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const { cooling, topics, roles } = this.#modules;
    const isLast = (topics.get(topic)?.awakeCount ?? 0) <= 1;
    if (isLast || this.#echoes.isOwnFault(nowMs)) {
      this.counts[isLast ? 'sparedAsLast' : 'sparedAsOurFault'] += 1;
      cooling.hold(peer, topic);
      return [];
    }
    cooling.cool(peer, topic, nowMs);
    this.tallies.of(peer, topic).cool(nowMs);
    return roles.rest(peer, topic, nowMs);
  }

  #probe(peer: PeerId, topic: string, id: string, nowMs: number): boolean {
    if (!this.#modules.cooling.probe(peer, topic, id)) return false;
    this.tallies.of(peer, topic).probe(nowMs);
    this.#echoes.tried(peer, topic, nowMs);
    return true;
  }
}
