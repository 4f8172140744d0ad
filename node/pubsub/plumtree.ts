import type { PeerId } from '../transport/transport.ts';
import { Announcements, ihaveFrames } from './announcements.ts';
import { AntiEntropyRounds, answerBuckets, answerSummary, lackingIn, summaryFrames } from './anti-entropy.ts';
import { ControlAllowance } from './control-allowance.ts';
import type { Announcement, ControlFrame } from './control-frame.ts';
import { MAX_HOPS } from './eager-frame.ts';
import { type GossipEffect, graft, iwantFrames, NOTHING, prune, toOne } from './gossip-effect.ts';
import { type HeldMessage, MessageCache } from './message-cache.ts';
import { MissingMessages } from './missing-messages.ts';
import { DEFAULT_PLUMTREE_LIMITS, type PlumTreeLimits } from './plumtree-limits.ts';
import { SeenIds, type SeenMessage } from './seen-ids.ts';
import type { TopicLinks } from './topic-links.ts';
import { TopicTable } from './topic-table.ts';
import { TreeLateness } from './tree-lateness.ts';

/** A path this much shorter than the tree's makes the tree change (PlumTree section 3.8; iroh-gossip uses 7). */
const OPTIMISE_HOPS = 3;
const MAINTAIN_EVERY_MS = 5_000;
const DEFAULT_RTT_MS = 40;

/**
 * PlumTree (Leitão, Pereira, Rodrigues: Epidemic Broadcast Trees, 2007) over the links that are up: payloads along
 * eager links, announcements along lazy ones, repair by IWANT and GRAFT, and anti-entropy beneath. A pure core: events
 * and the time go in, effects come out; it owns no timer, socket, clock or randomness. One driver is `PubSub`, another
 * the simulator. Control frames of kind `keyWant` and `key` are not its business.
 */
export class PlumTree {
  readonly topics: TopicTable;
  readonly cache: MessageCache;
  readonly #seen: SeenIds;
  readonly #announcements: Announcements;
  readonly #missing = new MissingMessages();
  readonly #allowance = new ControlAllowance();
  readonly #lateness = new TreeLateness();
  readonly #rounds: AntiEntropyRounds;
  #maintainAtMs = 0;

  constructor(limits: PlumTreeLimits = DEFAULT_PLUMTREE_LIMITS, firstRound = 0) {
    this.#rounds = new AntiEntropyRounds(firstRound);
    this.#announcements = new Announcements((firstRound % 64) / 64);
    this.cache = new MessageCache(limits.cache);
    this.#seen = new SeenIds(limits.maxSeen);
    this.topics = new TopicTable({
      maxTopics: limits.maxTopics,
      idleTtlMs: limits.topicIdleTtlMs,
      onForget: (topic) => this.cache.forgetTopic(topic),
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
      missingDropped: this.#missing.dropped,
      missingGaveUp: this.#missing.gaveUp,
      controlRefused: this.#allowance.refused,
      topicsEvicted: this.topics.evicted,
    } as const;
  }

  /** A link came up, or a new connection took its place: frames may have been lost, so both sides compare caches. */
  peerUp(peer: PeerId, rttMs: number | null): readonly GossipEffect[] {
    this.#missing.peerUp(peer, rttMs ?? DEFAULT_RTT_MS);
    this.topics.peerUp(peer);
    return toOne(peer, summaryFrames(this.cache));
  }

  peerDown(peer: PeerId, nowMs: number): readonly GossipEffect[] {
    this.#missing.peerDown(peer, nowMs);
    this.#announcements.forget(peer);
    this.#announcements.treeBroke(nowMs);
    this.#allowance.forget(peer);
    return this.topics.peerDown(peer).flatMap(([topic, links]) => this.#adopt(topic, links, nowMs));
  }

  /** Questions put to `peer` by IWANT and first copies it gave in answer, since its link came up. */
  askTally(peer: PeerId): { readonly asked: number; readonly answered: number } {
    return this.#missing.askTally(peer) ?? { asked: 0, answered: 0 };
  }

  setRtt(peer: PeerId, rttMs: number): void {
    this.#missing.setRtt(peer, rttMs);
  }

  /** Our own message goes out. */
  published(message: HeldMessage, nowMs: number): readonly GossipEffect[] {
    const links = this.topics.use(message.topic, nowMs);
    const adopted = links.eagerCount === 0 ? this.#adopt(message.topic, links, nowMs) : NOTHING;
    this.#keep(message, { from: null, asked: null, announcedAtMs: null }, nowMs);
    return [...this.#spread(message, links, { from: null, known: null }, nowMs), ...adopted];
  }

  /** A copy is being verified: others need not be asked yet. */
  arriving(id: string, nowMs: number): void {
    this.#missing.arriving(id, nowMs);
  }

  /** The copy that was being verified is not to be had after all. */
  abandoned(id: string, nowMs: number): void {
    this.#missing.abandoned(id, nowMs);
  }

  /** The first copy of a message has been verified. */
  received(peer: PeerId, message: HeldMessage, nowMs: number): readonly GossipEffect[] {
    if (this.#seen.has(message.id)) return this.duplicate(peer, message.id, nowMs);
    const found = this.#missing.take(message.id, peer, nowMs);
    const isAnswer = found?.asked.has(peer) ?? false;
    const links = this.topics.use(message.topic, nowMs);
    const announcedAtMs = found?.announcedAtMs ?? null;
    this.#keep(message, { from: peer, asked: found?.asked ?? null, announcedAtMs }, nowMs);
    const effects = this.#spread(message, links, { from: peer, known: found?.announcers ?? null }, nowMs);
    if (isAnswer) {
      if (links.repairedBy(peer) && links.graft(peer, nowMs)) effects.push(graft(peer, message.topic));
      return effects;
    }
    if (found) this.#lateness.treeCameLate(nowMs - found.announcedAtMs);
    else this.#lateness.treeCameFirst();
    // The peer holds the link eager; so do we, unless this left it before our PRUNE came.
    if (links.role(peer) === 'lazy' && links.isPruneSettled(peer, nowMs)) links.setRole(peer, 'eager');
    return effects;
  }

  /** A further copy of a message came; one that nobody asked for prunes its link on both sides. */
  duplicate(peer: PeerId, id: string, nowMs: number): readonly GossipEffect[] {
    const seen = this.#seen.get(id);
    if (!seen) return NOTHING;
    this.#announcements.isKnownBy(peer, id);
    if (seen.from === peer || seen.asked?.has(peer)) return NOTHING;
    if (seen.announcedAtMs !== null && seen.from !== null && seen.asked?.has(seen.from)) {
      this.#lateness.treeCameLate(nowMs - seen.announcedAtMs); // repair was hasty; this copy is the tree's
      return NOTHING;
    }
    const links = this.topics.get(seen.topic);
    if (!links?.isRedundant(peer, seen.from, nowMs)) return NOTHING;
    links.prune(peer, nowMs);
    return [prune(peer, seen.topic)];
  }

  /** A control frame of a verified peer. */
  control(peer: PeerId, frame: ControlFrame, nowMs: number): readonly GossipEffect[] {
    if (!this.topics.peers.has(peer) || !this.#allowance.allows(peer, frame, nowMs)) return NOTHING;
    switch (frame.kind) {
      case 'ihave':
        return frame.topics
          .flatMap(({ topic, entries }) => this.#announced(peer, topic, entries, nowMs))
          .concat(this.#ask(nowMs));
      case 'iwant':
        this.#announcements.treeMissed(nowMs);
        return this.#answer(peer, frame.ids);
      case 'graft':
        return this.#graftedBy(peer, frame.topic, nowMs);
      case 'prune':
        return this.#prunedBy(peer, frame.topic, nowMs);
      case 'summary':
        return toOne(peer, answerSummary(this.cache, frame.topics));
      case 'buckets':
        return toOne(peer, answerBuckets(this.cache, frame.topic, frame.setHashes));
      case 'digest': {
        const lacking = lackingIn(this.cache, frame);
        const told = ihaveFrames(lacking.map(({ id, hops }) => [id, { topic: frame.topic, hops }]));
        return [
          ...this.#announced(peer, frame.topic, frame.entries, nowMs),
          ...this.#ask(nowMs),
          ...toOne(peer, told),
        ];
      }
      default:
        return NOTHING;
    }
  }

  /** Does what is due. Harmless when nothing is. */
  tick(nowMs: number): readonly GossipEffect[] {
    const effects: GossipEffect[] = [];
    if ((this.#announcements.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      for (const { peer, frame } of this.#announcements.flush(nowMs))
        effects.push({ type: 'control', peer, frame });
    }
    effects.push(...this.#ask(nowMs));
    const peer = this.#hasToCompare() ? this.#rounds.next(this.topics.peers, nowMs) : undefined;
    if (peer !== undefined) effects.push(...toOne(peer, summaryFrames(this.cache)));
    if (nowMs >= this.#maintainAtMs) {
      this.cache.expire(nowMs);
      this.#seen.expire(nowMs);
      this.topics.expire(nowMs);
      this.#maintainAtMs = nowMs + MAINTAIN_EVERY_MS;
    }
    return effects;
  }

  /** When `tick` next has something to do; `undefined` when nothing is pending at all. */
  nextDeadlineMs(): number | undefined {
    const isKeeping = this.topics.size > 0 || this.#seen.size > 0;
    const due = Math.min(
      this.#announcements.dueMs ?? Number.POSITIVE_INFINITY,
      this.#missing.dueMs ?? Number.POSITIVE_INFINITY,
      this.#hasToCompare() ? this.#rounds.dueMs : Number.POSITIVE_INFINITY,
      isKeeping ? this.#maintainAtMs : Number.POSITIVE_INFINITY,
    );
    return due === Number.POSITIVE_INFINITY ? undefined : due;
  }

  #keep(
    message: HeldMessage,
    how: Pick<SeenMessage, 'from' | 'asked' | 'announcedAtMs'>,
    nowMs: number,
  ): void {
    if (this.cache.count === 0) this.#rounds.restart(nowMs);
    this.#seen.add(message.id, { ...how, topic: message.topic, hops: message.hops, atMs: nowMs });
    this.cache.add(message, nowMs);
  }

  #spread(
    message: HeldMessage,
    links: TopicLinks,
    { from, known }: { readonly from: PeerId | null; readonly known: ReadonlySet<PeerId> | null },
    nowMs: number,
  ): GossipEffect[] {
    if (message.hops >= MAX_HOPS) return [];
    const { eager, lazy } = links.split(from);
    const isUntold = (peer: PeerId) => !known?.has(peer);
    const told = { topic: message.topic, hops: message.hops };
    this.#announcements.add(known ? lazy.filter(isUntold) : lazy, message.id, told, nowMs);
    const peers = known ? eager.filter(isUntold) : eager;
    return peers.length === 0 ? [] : [{ type: 'push', message, peers }];
  }

  #announced(peer: PeerId, topic: string, entries: readonly Announcement[], nowMs: number): GossipEffect[] {
    const effects: GossipEffect[] = [];
    const graceMs = this.#lateness.graceMs(this.#missing.answerMs);
    for (const { id, hops } of entries) {
      const seen = this.#seen.get(id);
      if (!seen) {
        this.#missing.announce(id, { peer, topic, graceMs, nowMs });
        continue;
      }
      this.#announcements.isKnownBy(peer, id);
      if (seen.hops - (hops + 1) >= OPTIMISE_HOPS) effects.push(...this.#optimise(peer, seen, nowMs));
    }
    return effects;
  }

  /** Moves our place in the tree from a long path to a short one. */
  #optimise(peer: PeerId, { topic, from }: SeenMessage, nowMs: number): GossipEffect[] {
    const links = this.topics.get(topic);
    if (!links || from === null || links.role(from) !== 'eager' || !links.graft(peer, nowMs)) return [];
    links.prune(from, nowMs);
    return [graft(peer, topic), prune(from, topic)];
  }

  #ask(nowMs: number): GossipEffect[] {
    const asks = this.#missing.asks(nowMs);
    if (asks.length === 0) return [];
    const effects: GossipEffect[] = [];
    for (const { peer, topic, attempt } of asks) {
      // The first announcer did not answer and neither did the tree: the next one becomes part of it.
      if (attempt > 1 && this.topics.get(topic)?.graft(peer, nowMs)) effects.push(graft(peer, topic));
    }
    return effects.concat(iwantFrames(asks));
  }

  #answer(peer: PeerId, ids: readonly string[]): GossipEffect[] {
    const effects: GossipEffect[] = [];
    for (const id of ids) {
      const topic = this.#seen.get(id)?.topic;
      const message = topic === undefined ? undefined : this.cache.reply(topic, id, peer);
      if (message) effects.push({ type: 'reply', message, peer });
    }
    return effects;
  }

  #graftedBy(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const links = this.topics.get(topic);
    if (!links || links.graftedBy(peer, nowMs)) return NOTHING;
    links.prune(peer, nowMs);
    return [prune(peer, topic)];
  }

  #prunedBy(peer: PeerId, topic: string, nowMs: number): readonly GossipEffect[] {
    const links = this.topics.get(topic);
    if (!links) return NOTHING;
    links.prune(peer, nowMs);
    return links.eagerCount === 0 ? this.#adopt(topic, links, nowMs) : NOTHING;
  }

  /** A topic without an eager link takes one back. */
  #adopt(topic: string, links: TopicLinks, nowMs: number): readonly GossipEffect[] {
    const peer = links.bestLazy();
    return peer !== undefined && links.graft(peer, nowMs) ? [graft(peer, topic)] : NOTHING;
  }

  #hasToCompare(): boolean {
    return this.cache.count > 0 && this.topics.peers.size > 0;
  }
}
