import { BoundedMap } from '../../kit/bounded.ts';
import type { AgentId, PeerId } from '../transport/transport.ts';
import type { PlumTreeLimits } from './plumtree-limits.ts';
import { TopicLinks, type TreesOfPeer } from './topic-links.ts';
import type { TreeLinks } from './tree-links.ts';

const MAX_PUBLISHED_ONCE = 4_096;
/** When there are as many trees as there may be, one that carried nothing for this long makes room. */
const TREE_YIELDS_AFTER_MS = 60_000;

type TopicLimits = Pick<PlumTreeLimits, 'maxTopics' | 'maxTrees' | 'topicIdleTtlMs'>;

/**
 * The topics of this node and their links. There is no interest to announce: every node relays every topic, and a
 * message reaches a node whether or not someone subscribes there. A topic exists from its first message until it has
 * been idle for its time to live; past the bound the one unused longest makes room. So it is with the trees of origins,
 * but a tree in use yields to no newcomer: that one shares the topic's common tree, or both would be rebuilt for ever.
 */
export class TopicTable {
  readonly #limits: TopicLimits;
  readonly #onForget: (topic: string) => void;
  readonly #topics = new Map<string, TopicLinks>();
  readonly #peers = new Map<PeerId, TreesOfPeer>();
  /** Origins and topics that have no tree yet; past the bound the oldest begins anew. */
  readonly #publishedOnce = new BoundedMap<string, true>({ max: MAX_PUBLISHED_ONCE });
  #trees = 0;
  /** No tree can yield before this. */
  #treesBusyUntilMs = Number.NEGATIVE_INFINITY;
  #topicsEvicted = 0;
  #treesEvicted = 0;
  #treesRefused = 0;

  /** `onForget` is called for every topic that is let go, idle or to make room. */
  constructor(limits: TopicLimits, onForget: (topic: string) => void) {
    this.#limits = limits;
    this.#onForget = onForget;
  }

  get size(): number {
    return this.#topics.size;
  }

  get peers(): ReadonlyMap<PeerId, TreesOfPeer> {
    return this.#peers;
  }

  /** What made room, and how often an origin got no tree because none could. */
  losses() {
    const [topicsEvicted, treesEvicted] = [this.#topicsEvicted, this.#treesEvicted];
    return { topicsEvicted, treesEvicted, treesRefused: this.#treesRefused } as const;
  }

  entries(): MapIterator<[string, TopicLinks]> {
    return this.#topics.entries();
  }

  get(topic: string): TopicLinks | undefined {
    return this.#topics.get(topic);
  }

  /** The tree for a message of this origin, made now if it or its topic is new. */
  use({ topic, origin }: { readonly topic: string; readonly origin: AgentId }, nowMs: number): TreeLinks {
    const known = this.#topics.get(topic);
    const links = known ?? this.#add(topic, nowMs);
    links.lastUsedMs = nowMs;
    let tree = links.treeOf(origin);
    const isWorthwhile = tree === links.shared && (!known || this.#publishesAgain(`${origin} ${topic}`));
    if (isWorthwhile && this.#hasRoomForTree(nowMs)) {
      tree = links.plant(origin);
      this.#trees += 1;
    }
    tree.lastUsedMs = nowMs;
    return tree;
  }

  peerUp(peer: PeerId, trees: TreesOfPeer): void {
    this.#peers.set(peer, trees);
    for (const links of this.#topics.values()) links.peerUp(peer);
  }

  peerDown(peer: PeerId): void {
    this.#peers.delete(peer);
    for (const links of this.#topics.values()) links.peerDown(peer);
  }

  expire(nowMs: number): void {
    const isIdle = ({ lastUsedMs }: TreeLinks | TopicLinks) =>
      nowMs - lastUsedMs >= this.#limits.topicIdleTtlMs;
    for (const [topic, links] of this.#topics) {
      if (isIdle(links)) this.#forget(topic);
      else for (const tree of links.originTrees()) if (isIdle(tree)) this.#fell(tree);
    }
  }

  #add(topic: string, nowMs: number): TopicLinks {
    if (this.#topics.size >= this.#limits.maxTopics) this.#forgetLeastUsed();
    const links = new TopicLinks(topic, this.#peers, nowMs);
    this.#topics.set(topic, links);
    return links;
  }

  #forgetLeastUsed(): void {
    let least: string | undefined;
    let leastMs = Number.POSITIVE_INFINITY;
    for (const [topic, { lastUsedMs }] of this.#topics) {
      if (lastUsedMs < leastMs) [least, leastMs] = [topic, lastUsedMs];
    }
    if (least === undefined) return;
    this.#topicsEvicted += 1;
    this.#forget(least);
  }

  /** A tree begins with a copy along every link, which is too much for one message only. */
  #publishesAgain(name: string): boolean {
    if (this.#publishedOnce.delete(name)) return true;
    this.#publishedOnce.set(name, true);
    return false;
  }

  #hasRoomForTree(nowMs: number): boolean {
    if (this.#trees < this.#limits.maxTrees) return true;
    const idlest = nowMs < this.#treesBusyUntilMs ? undefined : this.#idlestTree();
    if (idlest) this.#treesBusyUntilMs = idlest.lastUsedMs + TREE_YIELDS_AFTER_MS;
    if (!idlest || nowMs < this.#treesBusyUntilMs) {
      this.#treesRefused += 1;
      return false;
    }
    this.#treesEvicted += 1;
    this.#fell(idlest);
    return true;
  }

  #idlestTree(): TreeLinks | undefined {
    let idlest: TreeLinks | undefined;
    for (const links of this.#topics.values()) {
      for (const tree of links.originTrees()) {
        if (tree.lastUsedMs < (idlest?.lastUsedMs ?? Number.POSITIVE_INFINITY)) idlest = tree;
      }
    }
    return idlest;
  }

  #fell({ name: { topic, origin } }: TreeLinks): void {
    if (origin !== undefined && this.#topics.get(topic)?.fell(origin)) this.#trees -= 1;
  }

  #forget(topic: string): void {
    this.#trees -= this.#topics.get(topic)?.originTreeCount ?? 0;
    this.#topics.delete(topic);
    this.#onForget(topic);
  }
}
