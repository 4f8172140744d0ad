import type { PeerId } from '../transport/transport.ts';
import { Announcements } from './announcements.ts';
import { ControlAllowance } from './control-allowance.ts';
import type { ControlFrame } from './control-frame.ts';
import { Cooling } from './cooling.ts';
import { MAX_HOPS } from './eager-frame.ts';
import { type GossipEffect, NOTHING } from './gossip-effect.ts';
import { LinkHealth } from './link-health.ts';
import { type HeldMessage, MessageCache } from './message-cache.ts';
import { DEFAULT_PLUMTREE_LIMITS, type PlumTreeLimits } from './plumtree-limits.ts';
import { Reconciliation } from './reconciliation.ts';
import { Repair } from './repair.ts';
import { type Score, scoreOf } from './score.ts';
import { SeenIds, type SeenMessage } from './seen-ids.ts';
import type { TreesOfPeer } from './topic-links.ts';
import { TopicTable } from './topic-table.ts';
import type { TreeLinks } from './tree-links.ts';
import { TreeRoles } from './tree-roles.ts';
import { TreeUpkeep } from './tree-upkeep.ts';

const MAINTAIN_EVERY_MS = 5_000;
const DEFAULT_RTT_MS = 40;

/**
 * PlumTree (Leitão, Pereira, Rodrigues: Epidemic Broadcast Trees, 2007) over the links that are up, with a tree for each
 * topic and origin: payloads along eager links, announcements along lazy ones, repair by IWANT and GRAFT, anti-entropy
 * beneath, and links that are too slow kept out of the trees. A pure core: events and the time go in, effects come out;
 * it owns no timer, socket, clock or randomness. One driver is `PubSub`, another the simulator. Control frames of kind
 * `keyWant` and `key` are not its business.
 */
export class PlumTree {
  readonly topics: TopicTable;
  readonly cache: MessageCache;
  readonly cooling = new Cooling();
  readonly health: LinkHealth;
  readonly reconciliation: Reconciliation;
  readonly #seen: SeenIds;
  readonly #announcements: Announcements;
  readonly #repair: Repair;
  readonly #roles: TreeRoles;
  readonly #upkeep: TreeUpkeep;
  readonly #allowance = new ControlAllowance();
  #maintainAtMs = 0;

  constructor(limits: PlumTreeLimits = DEFAULT_PLUMTREE_LIMITS, firstRound = 0) {
    this.#announcements = new Announcements((firstRound % 64) / 64);
    this.cache = new MessageCache(limits.cache);
    this.#seen = new SeenIds(limits.maxSeen);
    this.topics = new TopicTable(limits, (topic) => {
      this.cache.forgetTopic(topic);
      this.cooling.forgetTopic(topic);
    });
    const { topics, cache, cooling } = this;
    this.#roles = new TreeRoles({ topics, cooling });
    this.health = new LinkHealth({ topics, cooling, roles: this.#roles });
    this.reconciliation = new Reconciliation({ firstRound }, { topics, cache });
    this.#repair = new Repair({
      cache,
      seen: this.#seen,
      announcements: this.#announcements,
      roles: this.#roles,
    });
    this.#upkeep = new TreeUpkeep({
      topics,
      roles: this.#roles,
      standing: (peer, topic, nowMs) => ({
        score: this.score(peer, topic, nowMs).score,
        unconfirmed: this.health.tallies.of(peer, topic).unconfirmed.at(nowMs),
      }),
    });
  }

  has(id: string): boolean {
    return this.#seen.has(id);
  }

  /** What the bounds of the core have let go so far. */
  losses() {
    return {
      seenEvictedYoung: this.#seen.evictedYoung,
      announcementsDropped: this.#announcements.dropped,
      missingDropped: this.#repair.missing.dropped,
      missingGaveUp: this.#repair.missing.gaveUp,
      controlRefused: this.#allowance.refused,
      ...this.topics.losses(),
      talliesForgotten: this.health.tallies.forgotten,
      timeoutsForgotten: this.cooling.forgotten,
      topicsUncovered: this.health.uncovered,
    } as const;
  }

  /** What was done to trees for the sake of slow links, or left undone, since start. */
  mended() {
    const { sparedAsLast, sparedAsOurFault } = this.health.counts;
    const [{ rescues }, { replaced }] = [this.#roles, this.#upkeep];
    return { coolings: this.cooling.coolings, rescues, replaced, sparedAsLast, sparedAsOurFault };
  }

  /** A link came up, or a new connection took its place: frames may have been lost, so both sides compare caches. */
  peerUp(peer: PeerId, trees: TreesOfPeer, nowMs: number): readonly GossipEffect[] {
    this.#repair.missing.peerUp(peer, DEFAULT_RTT_MS);
    this.topics.peerUp(peer, trees);
    this.health.peerUp(peer, nowMs);
    return this.reconciliation.open(peer, nowMs);
  }

  peerDown(peer: PeerId, nowMs: number): readonly GossipEffect[] {
    this.#repair.missing.peerDown(peer, nowMs);
    this.#announcements.forget(peer);
    this.#announcements.treeBroke(nowMs);
    this.#allowance.forget(peer);
    this.health.peerDown(peer);
    this.topics.peerDown(peer);
    return this.#roles.adoptAll(nowMs);
  }

  score(peer: PeerId, topic: string, nowMs: number): Score {
    const asks = this.#repair.missing.askTally(peer, nowMs);
    return scoreOf(this.health.tallies.of(peer, topic), asks, nowMs);
  }

  setRtt(peer: PeerId, rttMs: number): void {
    this.#repair.missing.setRtt(peer, rttMs);
  }

  /** Our own message goes out. */
  published(message: HeldMessage, nowMs: number): readonly GossipEffect[] {
    const tree = this.topics.use(message, nowMs);
    const adopted = tree.eagerCount === 0 ? this.#roles.adopt(message.topic, nowMs) : NOTHING;
    this.#keep(message, { from: null, asked: null, announcedAtMs: null }, nowMs);
    return [...this.#spread(message, tree, { from: null, known: null }, nowMs), ...adopted];
  }

  /** A copy is being verified: others need not be asked yet. */
  arriving(id: string, nowMs: number): void {
    this.#repair.missing.arriving(id, nowMs);
  }

  /** The copy that was being verified is not to be had after all. */
  abandoned(id: string, nowMs: number): void {
    this.#repair.missing.abandoned(id, nowMs);
  }

  /** A message for `peer` was refused or given up by its lane: the peer is told of it, and may ask later. */
  notSent(peer: PeerId, { id, topic, hops }: HeldMessage, nowMs: number): void {
    this.cache.takeBack({ topic, id }, peer);
    if (this.topics.peers.has(peer)) this.#announcements.add([peer], id, { topic, hops }, nowMs);
  }

  /** The first copy of a message has been verified. */
  received(peer: PeerId, message: HeldMessage, nowMs: number): readonly GossipEffect[] {
    if (this.#seen.has(message.id)) return this.duplicate(peer, message.id, nowMs);
    this.health.tallies.of(peer, message.topic).deliver(nowMs);
    const effects: GossipEffect[] = [...this.#heard(peer, nowMs)];
    const found = this.#repair.missing.take(message.id, peer, nowMs);
    if (found?.lead === 'digest') this.reconciliation.repairedBy(peer);
    const isAnswer = found?.asked.has(peer) ?? false;
    const tree = this.topics.use(message, nowMs);
    const announcedAtMs = found?.announcedAtMs ?? null;
    this.#keep(message, { from: peer, asked: found?.asked ?? null, announcedAtMs }, nowMs);
    effects.push(...this.#spread(message, tree, { from: peer, known: found?.announcers ?? null }, nowMs));
    if (isAnswer) {
      const isEarned = tree.repairedBy(peer, found?.questions ?? 0);
      return isEarned ? effects.concat(this.#roles.graft(peer, message, nowMs)) : effects;
    }
    this.#repair.cameByTree(found, nowMs);
    // The peer holds the link eager; so do we, unless this left it before our PRUNE came.
    if (tree.role(peer) === 'lazy' && tree.isPruneSettled(peer, nowMs)) this.#roles.follow(peer, message);
    return effects;
  }

  /** A further copy of a message came; one that nobody asked for prunes its link on both sides. */
  duplicate(peer: PeerId, id: string, nowMs: number): readonly GossipEffect[] {
    const heard = this.#heard(peer, nowMs);
    const seen = this.#seen.get(id);
    if (!seen) return heard;
    this.#announcements.isKnownBy(peer, id);
    if (seen.from === peer || seen.asked?.has(peer)) return heard;
    if (seen.announcedAtMs !== null && seen.from !== null && seen.asked?.has(seen.from)) {
      this.#repair.lateness.treeCameLate(nowMs - seen.announcedAtMs); // repair was hasty; this copy is the tree's
      return heard;
    }
    const tree = this.topics.get(seen.topic)?.treeOf(seen.origin);
    return tree?.isRedundant(peer, seen.from, nowMs)
      ? heard.concat(this.#roles.prune(peer, seen, nowMs))
      : heard;
  }

  /** A control frame of a verified peer. */
  control(peer: PeerId, frame: ControlFrame, nowMs: number): readonly GossipEffect[] {
    if (!this.topics.peers.has(peer) || !this.#allowance.allows(peer, frame, nowMs)) return NOTHING;
    const heard = this.#heard(peer, nowMs);
    const answer = this.#obey(peer, frame, nowMs);
    return heard.length === 0 ? answer : [...heard, ...answer];
  }

  /** Does what is due. Harmless when nothing is. */
  tick(nowMs: number): readonly GossipEffect[] {
    const effects: GossipEffect[] = [];
    if ((this.#announcements.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      for (const { peer, frame } of this.#announcements.flush(nowMs)) {
        effects.push({ type: 'control', peer, frame });
        this.health.announced(peer, frame, nowMs);
      }
    }
    effects.push(...this.#repair.ask(nowMs), ...this.reconciliation.tick(nowMs), ...this.health.tick(nowMs));
    if (nowMs >= this.#maintainAtMs) {
      this.cache.expire(nowMs);
      this.#seen.expire(nowMs);
      this.topics.expire(nowMs);
      this.health.clean(nowMs);
      effects.push(...this.#upkeep.tick(nowMs));
      this.#maintainAtMs = nowMs + MAINTAIN_EVERY_MS;
    }
    return effects;
  }

  /** When `tick` next has something to do; `undefined` when nothing is pending at all. */
  nextDeadlineMs(): number | undefined {
    const isKeeping = this.topics.size > 0 || this.#seen.size > 0;
    const due = Math.min(
      this.#announcements.dueMs ?? Number.POSITIVE_INFINITY,
      this.#repair.missing.dueMs ?? Number.POSITIVE_INFINITY,
      this.reconciliation.dueMs ?? Number.POSITIVE_INFINITY,
      this.health.dueMs ?? Number.POSITIVE_INFINITY,
      isKeeping ? this.#maintainAtMs : Number.POSITIVE_INFINITY,
    );
    return due === Number.POSITIVE_INFINITY ? undefined : due;
  }

  #obey(peer: PeerId, frame: ControlFrame, nowMs: number): readonly GossipEffect[] {
    switch (frame.kind) {
      case 'ihave': {
        const at = { lead: 'announcement', nowMs } as const;
        const effects = frame.topics.flatMap((told) => this.#repair.announced(peer, told, at));
        return effects.concat(this.#repair.ask(nowMs));
      }
      case 'digest': {
        const effects = this.#repair.announced(peer, frame, { lead: 'digest', nowMs });
        effects.push(...this.#repair.ask(nowMs), ...this.reconciliation.answer(peer, frame, nowMs));
        return effects;
      }
      case 'summary':
      case 'buckets':
        return this.reconciliation.answer(peer, frame, nowMs);
      case 'iwant':
        this.#announcements.treeMissed(nowMs);
        return this.#repair.answer(peer, frame.ids);
      case 'graft':
        return this.#roles.graftedBy(peer, frame, nowMs);
      case 'prune':
        return this.#roles.prunedBy(peer, frame, nowMs);
      case 'echo':
        return [{ type: 'control', peer, frame: { kind: 'echoed', number: frame.number } }];
      case 'echoed':
        this.health.echoed(peer, frame.number, nowMs);
        return NOTHING;
      default:
        return NOTHING;
    }
  }

  /** A link that is back from a silence may have lost frames, though its connection lived on. */
  #heard(peer: PeerId, nowMs: number): readonly GossipEffect[] {
    return this.health.heard(peer, nowMs) ? this.reconciliation.open(peer, nowMs) : NOTHING;
  }

  #keep(
    message: HeldMessage,
    how: Pick<SeenMessage, 'from' | 'asked' | 'announcedAtMs'>,
    nowMs: number,
  ): void {
    if (this.cache.count === 0) this.reconciliation.begin(nowMs);
    const { id, topic, origin, hops } = message;
    this.#seen.add(id, { ...how, topic, origin, hops, atMs: nowMs });
    this.cache.add(message, nowMs);
  }

  #spread(
    message: HeldMessage,
    tree: TreeLinks,
    { from, known }: { readonly from: PeerId | null; readonly known: ReadonlySet<PeerId> | null },
    nowMs: number,
  ): GossipEffect[] {
    if (message.hops >= MAX_HOPS) return [];
    const { eager, lazy } = tree.split(from);
    const isUntold = (peer: PeerId) => !known?.has(peer);
    const told = { topic: message.topic, hops: message.hops };
    this.#announcements.add(known ? lazy.filter(isUntold) : lazy, message.id, told, nowMs);
    const pushed = known ? eager.filter(isUntold) : eager;
    this.health.pushed(message.topic, pushed, nowMs);
    const isNeeded = (peer: PeerId) => peer !== from && isUntold(peer);
    const tried = this.health.probesFor(message, { isNeeded, nowMs });
    const peers = tried.length === 0 ? pushed : [...pushed, ...tried];
    return peers.length === 0 ? [] : [{ type: 'push', message, peers }];
  }
}
