import type { AgentId, PeerId } from '../transport/transport.ts';
import { type LinkRole, TreeLinks } from './tree-links.ts';

/** How many trees a peer knows per topic: one for each origin, or, as older versions, one that all origins share. */
export type TreesOfPeer = 'perOrigin' | 'shared';

/**
 * The links of one topic: which of them rest, and the trees they form. Each origin that has room for one has a tree of
 * its own; the others share one. The role of a peer that knows the shared tree only is the same in all of them.
 */
export class TopicLinks {
  readonly #topic: string;
  readonly #peers: ReadonlyMap<PeerId, TreesOfPeer>;
  readonly #resting = new Set<PeerId>();
  readonly #byOrigin = new Map<AgentId, TreeLinks>();
  readonly shared: TreeLinks;
  lastUsedMs: number;

  /** `peers` is the table's own map of the links that are up. */
  constructor(topic: string, peers: ReadonlyMap<PeerId, TreesOfPeer>, nowMs: number) {
    this.#topic = topic;
    this.#peers = peers;
    this.lastUsedMs = nowMs;
    this.shared = new TreeLinks({ topic }, peers.keys(), this.#resting);
  }

  get restingCount(): number {
    return this.#resting.size;
  }

  /** Links that may be of a tree. */
  get awakeCount(): number {
    return this.#peers.size - this.#resting.size;
  }

  get originTreeCount(): number {
    return this.#byOrigin.size;
  }

  isResting(peer: PeerId): boolean {
    return this.#resting.has(peer);
  }

  peers(): MapIterator<PeerId> {
    return this.#peers.keys();
  }

  /** Every tree, the shared one first. */
  *trees(): Generator<TreeLinks> {
    yield this.shared;
    yield* this.#byOrigin.values();
  }

  originTrees(): MapIterator<TreeLinks> {
    return this.#byOrigin.values();
  }

  /** The trees that messages have travelled by. */
  *usedTrees(): Generator<TreeLinks> {
    for (const tree of this.trees()) if (tree.lastUsedMs > Number.NEGATIVE_INFINITY) yield tree;
  }

  /** The tree by which messages of `origin` travel. */
  treeOf(origin: AgentId): TreeLinks {
    return this.#byOrigin.get(origin) ?? this.shared;
  }

  /** The trees that `peer` and we mean by a GRAFT or PRUNE for `origin`. */
  treesFor(peer: PeerId, origin: AgentId | undefined): readonly TreeLinks[] {
    const isOne = origin !== undefined && this.#peers.get(peer) === 'perOrigin';
    return isOne ? [this.treeOf(origin)] : [...this.trees()];
  }

  /** Gives `origin` a tree of its own. */
  plant(origin: AgentId): TreeLinks {
    const tree = new TreeLinks({ topic: this.#topic, origin }, this.#peers.keys(), this.#resting);
    for (const [peer, trees] of this.#peers) {
      if (trees === 'shared') tree.setRole(peer, this.shared.role(peer) ?? 'lazy');
    }
    this.#byOrigin.set(origin, tree);
    return tree;
  }

  /** Lets go of a tree; false when there was none. */
  fell(origin: AgentId): boolean {
    return this.#byOrigin.delete(origin);
  }

  /** `eager` when the messages of at least one origin are pushed along the link. */
  role(peer: PeerId): LinkRole {
    for (const tree of this.usedTrees()) if (tree.role(peer) === 'eager') return 'eager';
    return 'lazy';
  }

  peerUp(peer: PeerId): void {
    for (const tree of this.trees()) tree.peerUp(peer);
  }

  peerDown(peer: PeerId): void {
    this.#resting.delete(peer);
    for (const tree of this.trees()) tree.peerDown(peer);
  }

  /** Takes a link out of every tree and keeps it out until `wake`; true when it was in one. */
  rest(peer: PeerId, nowMs: number): boolean {
    if (!this.#peers.has(peer) || this.#resting.has(peer)) return false;
    const wasEager = this.role(peer) === 'eager';
    for (const tree of this.trees()) tree.prune(peer, nowMs);
    this.#resting.add(peer);
    return wasEager;
  }

  /** The link is an ordinary lazy one again. */
  wake(peer: PeerId): void {
    this.#resting.delete(peer);
  }
}
